"""Wheel of the installed tellapart, so that a packaged folder can be built without a registry that has it."""

import base64
import hashlib
import zipfile
from collections.abc import Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from tellapart.errors import MissingPackageError

PACKAGE = Path(__file__).parent.parent
TAGS = "Wheel-Version: 1.0\nGenerator: tellapart\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
METADATA_FILES = ("METADATA", "entry_points.txt", "licenses/LICENSE")
ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)  # a fixed date, so that the same files always give the same wheel


def write_wheel(folder: Path) -> Path:
    """Write the installed tellapart into `folder` as a wheel. Raises MissingPackageError if it is not installed.

    Source of the format: the PyPA specification "Binary distribution format".
    """
    try:
        installed = distribution("tellapart")
    except PackageNotFoundError as error:
        raise MissingPackageError("tellapart is not installed as a package: pip install tellapart") from error
    stem = f"tellapart-{installed.version}"
    content = {**dict(_modules()), **_metadata(installed, f"{stem}.dist-info")}
    record = f"{stem}.dist-info/RECORD"
    lines = [*(_record_line(name, data) for name, data in content.items()), f"{record},,"]
    path = folder / f"{stem}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in {**content, record: "\n".join(lines).encode() + b"\n"}.items():
            entry = zipfile.ZipInfo(name, ZIP_EPOCH)
            entry.external_attr = 0o100644 << 16  # a regular file, readable by all
            archive.writestr(entry, data, zipfile.ZIP_DEFLATED)
    return path


def _modules() -> Iterator[tuple[str, bytes]]:
    """Yield every file of the package with its name in the wheel."""
    for path in sorted(PACKAGE.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            yield f"tellapart/{path.relative_to(PACKAGE).as_posix()}", path.read_bytes()


def _metadata(installed: Distribution, folder: str) -> dict[str, bytes]:
    texts = {"WHEEL": TAGS, **{name: installed.read_text(name) for name in METADATA_FILES}}
    return {f"{folder}/{name}": text.encode() for name, text in texts.items() if text}


def _record_line(name: str, data: bytes) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
    return f"{name},sha256={digest},{len(data)}"
