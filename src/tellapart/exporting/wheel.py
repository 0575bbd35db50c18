"""The tellapart that is at work here, as a wheel: a folder to be built elsewhere needs no registry that has it."""

import base64
import hashlib
import zipfile
from collections.abc import Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from tellapart.errors import MissingPackageError

PACKAGE = Path(__file__).parent.parent
TAGS = "Wheel-Version: 1.0\nGenerator: tellapart\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
FACTS = ("METADATA", "entry_points.txt", "licenses/LICENSE")
OLDEST = (1980, 1, 1, 0, 0, 0)  # that an archive can say: the same files give the same wheel, whenever it is made


def write_wheel(folder: Path) -> Path:
    """Write the installed tellapart into `folder` as a wheel. Raises MissingPackageError when it is not installed.

    Source of the format: the PyPA specification "Binary distribution format".
    """
    try:
        found = distribution("tellapart")
    except PackageNotFoundError as error:
        raise MissingPackageError("tellapart runs here without being installed: pip install tellapart") from error
    stem = f"tellapart-{found.version}"
    content = {**dict(_modules()), **_facts(found, f"{stem}.dist-info")}
    record = f"{stem}.dist-info/RECORD"
    lines = [*(_recorded(name, data) for name, data in content.items()), f"{record},,"]
    path = folder / f"{stem}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in {**content, record: "\n".join(lines).encode() + b"\n"}.items():
            entry = zipfile.ZipInfo(name, OLDEST)
            entry.external_attr = 0o100644 << 16  # a plain file that all may read
            archive.writestr(entry, data, zipfile.ZIP_DEFLATED)
    return path


def _modules() -> Iterator[tuple[str, bytes]]:
    """Every file of the package, by its name in the wheel."""
    for path in sorted(PACKAGE.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            yield f"tellapart/{path.relative_to(PACKAGE).as_posix()}", path.read_bytes()


def _facts(found: Distribution, folder: str) -> dict[str, bytes]:
    texts = {"WHEEL": TAGS, **{name: found.read_text(name) for name in FACTS}}
    return {f"{folder}/{name}": text.encode() for name, text in texts.items() if text}


def _recorded(name: str, data: bytes) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
    return f"{name},sha256={digest},{len(data)}"
