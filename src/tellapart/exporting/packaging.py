"""Packaging of a bundle as a folder that builds a container, or that is pushed as a Hugging Face Space."""

import json
import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from string import Template
from typing import Literal

from tellapart.bundles.bundle import MANIFEST, Bundle
from tellapart.errors import TellapartError
from tellapart.exporting.card import escape_markdown, model_card
from tellapart.exporting.wheel import write_wheel
from tellapart.files import atomic_folder
from tellapart.models.classical.estimators import FOREST

Kind = Literal["container", "space"]
TEMPLATES = Path(__file__).parent / "templates"
PORT = 7860  # the default port of a Space
SERVE = ("tellapart", "serve", "bundle", "--host", "0.0.0.0", "--port", str(PORT))  # noqa: S104  callers are outside the container
ADDRESSES = {"container": f"http://127.0.0.1:{PORT}", "space": "https://THE-ADDRESS-OF-THE-SPACE"}
HOST_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?")


def package(
    bundle: Bundle | str | Path, kind: Kind, out: str | Path, *, token: bool = True, hosts: Sequence[str] = ()
) -> Path:
    """Write the folder `out`: the bundle, tellapart as a wheel, pinned requirements, Dockerfile, README.

    With `token` the service requires one, which is read from the environment at run time and never stored in the
    folder. `hosts` are allowed host names; a Space knows its own. Raises BundleError, and StorageError if `out` is
    not empty.
    """
    bundle = Bundle.of(bundle)
    bundle.verify()
    if invalid := [name for name in hosts if not HOST_NAME.fullmatch(name)]:
        raise TellapartError(
            f"{invalid[0]!r} is not a host name: expected one such as images.example.org, without a port"
        )
    with atomic_folder(Path(out)) as folder:
        _copy_bundle(bundle, folder / "bundle")
        wheel = write_wheel(folder)
        requirements = "requirements-forest.txt" if FOREST in bundle.hashes else "requirements.txt"
        shutil.copyfile(TEMPLATES / requirements, folder / "requirements.txt")
        shutil.copyfile(TEMPLATES / "dockerignore", folder / ".dockerignore")
        if kind == "space":
            shutil.copyfile(TEMPLATES / "gitattributes", folder / ".gitattributes")
        command = [
            *SERVE,
            *([] if token else ["--no-token"]),
            *(option for name in hosts for option in ("--allow-host", name)),
        ]
        fields = {
            "port": PORT,
            "wheel": wheel.name,
            "start": _start_instruction(command, kind),
            **_template_fields(bundle, kind, token=token),
        }
        _write_template("Dockerfile.template", folder / "Dockerfile", fields)
        _write_template(f"{kind}.md.template", folder / "README.md", fields)
        for path in folder.rglob("*"):  # the container runs as another user
            path.chmod(0o755 if path.is_dir() else 0o644)
    return Path(out)


def _copy_bundle(bundle: Bundle, folder: Path) -> None:
    """Copy the bundle's files and nothing else, and verify the copy."""
    folder.mkdir()
    for name in (*bundle.hashes, MANIFEST):
        shutil.copyfile(bundle.folder / name, folder / name)
    Bundle.open(folder).verify()


def _start_instruction(command: Sequence[str], kind: Kind) -> str:
    """Return the Dockerfile instruction that starts the service as the first process, which receives the signals."""
    if kind == "container":  # an entry point, so that `docker run` accepts further options
        return f"ENTRYPOINT {json.dumps(list(command))}"
    script = f'exec {" ".join(command)} --allow-host "${{SPACE_HOST:-localhost}}"'  # set by Hugging Face
    return f"CMD {json.dumps(['sh', '-c', script])}"


def _template_fields(bundle: Bundle, kind: Kind, *, token: bool) -> dict[str, str]:
    image = re.sub(r"[^a-z0-9]+", "-", bundle.name.lower()).strip("-") or "classifier"
    title = " ".join(bundle.name.split())
    return {
        "title": escape_markdown(title),
        "yaml_title": json.dumps(title),  # valid YAML too
        "image": image,
        "about": model_card(bundle),
        "guard": _read_template("token.md" if token else "no-token.md"),
        "run": _run_commands(image, token=token),
        "ask": Template(_read_template("ask.md.template")).substitute(
            header=_header(token=token), address=ADDRESSES[kind]
        ),
        "files": _read_template("files.md"),
    }


def _run_commands(image: str, *, token: bool) -> str:
    options = "--read-only --tmpfs /tmp --cap-drop ALL --security-opt no-new-privileges --stop-timeout 20"
    secret = "-e TELLAPART_TOKEN " if token else ""
    command = f"    docker run --rm {options} \\\n        {secret}-p 127.0.0.1:{PORT}:{PORT} {image}"
    return f"    export TELLAPART_TOKEN=$(openssl rand -hex 32)\n{command}" if token else command


def _header(*, token: bool) -> str:
    return '-H "Authorization: Bearer $TELLAPART_TOKEN" ' if token else ""


def _write_template(template: str, path: Path, fields: dict[str, object]) -> None:
    path.write_text(Template(_read_template(template)).substitute(fields), encoding="utf-8")


def _read_template(name: str) -> str:
    return (TEMPLATES / name).read_text(encoding="utf-8")
