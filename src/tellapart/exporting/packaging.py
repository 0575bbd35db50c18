"""A folder from which a container is built that serves a bundle, or which is pushed as a Hugging Face Space."""

import json
import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from string import Template
from typing import Literal

from tellapart.bundles.bundle import MANIFEST, Bundle
from tellapart.errors import TellapartError
from tellapart.exporting.card import about, escaped
from tellapart.exporting.wheel import write_wheel
from tellapart.files import atomic_folder
from tellapart.models.classical.estimators import FOREST

Kind = Literal["container", "space"]
TEMPLATES = Path(__file__).parent / "templates"
PORT = 7860  # the one that a Space is called at unless it says otherwise
SERVE = ("tellapart", "serve", "bundle", "--host", "0.0.0.0", "--port", str(PORT))  # noqa: S104  a container is reached from outside it
ADDRESSES = {"container": f"http://127.0.0.1:{PORT}", "space": "https://THE-ADDRESS-OF-THE-SPACE"}
HOST_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?")


def package(
    bundle: Bundle | str | Path, kind: Kind, out: str | Path, *, token: bool = True, hosts: Sequence[str] = ()
) -> Path:
    """Write the folder `out`: the bundle, tellapart as a wheel, pinned requirements, Dockerfile, README.

    `token` asks callers for one, which is in the environment when it runs, never in the folder. `hosts` are the names
    by which it may be called; a Space knows its own. Raises BundleError, StorageError when `out` is not empty.
    """
    bundle = Bundle.of(bundle)
    bundle.verify()
    if odd := [name for name in hosts if not HOST_NAME.fullmatch(name)]:
        raise TellapartError(f"{odd[0]!r} is no host's name; expected one such as images.example.org, without a port")
    with atomic_folder(Path(out)) as folder:
        _copy(bundle, folder / "bundle")
        wheel = write_wheel(folder)
        requirements = "requirements-forest.txt" if FOREST in bundle.hashes else "requirements.txt"
        shutil.copyfile(TEMPLATES / requirements, folder / "requirements.txt")
        shutil.copyfile(TEMPLATES / "dockerignore", folder / ".dockerignore")
        if kind == "space":
            shutil.copyfile(TEMPLATES / "gitattributes", folder / ".gitattributes")
        words = [
            *SERVE,
            *([] if token else ["--no-token"]),
            *(word for name in hosts for word in ("--allow-host", name)),
        ]
        fields = {"port": PORT, "wheel": wheel.name, "start": _start(words, kind), **_texts(bundle, kind, token=token)}
        _fill("Dockerfile.template", folder / "Dockerfile", fields)
        _fill(f"{kind}.md.template", folder / "README.md", fields)
        for path in folder.rglob("*"):  # whoever runs the container is not who made the folder
            path.chmod(0o755 if path.is_dir() else 0o644)
    return Path(out)


def _copy(bundle: Bundle, folder: Path) -> None:
    """The bundle's files and nothing else, checked again where they have arrived."""
    folder.mkdir()
    for name in (*bundle.hashes, MANIFEST):
        shutil.copyfile(bundle.folder / name, folder / name)
    Bundle.open(folder).verify()


def _start(words: Sequence[str], kind: Kind) -> str:
    """The line of the Dockerfile that starts the service, as the first process: it is told when to end."""
    if kind == "container":  # as an entry point, so that further options may be given to `docker run`
        return f"ENTRYPOINT {json.dumps(list(words))}"
    command = f'exec {" ".join(words)} --allow-host "${{SPACE_HOST:-localhost}}"'  # a Space has its name from there
    return f"CMD {json.dumps(['sh', '-c', command])}"


def _texts(bundle: Bundle, kind: Kind, *, token: bool) -> dict[str, str]:
    image = re.sub(r"[^a-z0-9]+", "-", bundle.name.lower()).strip("-") or "classifier"
    title = " ".join(bundle.name.split())
    return {
        "title": escaped(title),
        "yaml_title": json.dumps(title),  # which is YAML too
        "image": image,
        "about": about(bundle),
        "guard": _read("token.md" if token else "no-token.md"),
        "run": _run(image, token=token),
        "ask": Template(_read("ask.md.template")).substitute(header=_header(token=token), address=ADDRESSES[kind]),
        "files": _read("files.md"),
    }


def _run(image: str, *, token: bool) -> str:
    options = "--read-only --tmpfs /tmp --cap-drop ALL --security-opt no-new-privileges --stop-timeout 20"
    secret = "-e TELLAPART_TOKEN " if token else ""
    command = f"    docker run --rm {options} \\\n        {secret}-p 127.0.0.1:{PORT}:{PORT} {image}"
    return f"    export TELLAPART_TOKEN=$(openssl rand -hex 32)\n{command}" if token else command


def _header(*, token: bool) -> str:
    return '-H "Authorization: Bearer $TELLAPART_TOKEN" ' if token else ""


def _fill(template: str, path: Path, fields: dict[str, object]) -> None:
    path.write_text(Template(_read(template)).substitute(fields), encoding="utf-8")


def _read(name: str) -> str:
    return (TEMPLATES / name).read_text(encoding="utf-8")
