"""Packaging of a bundle as a folder that builds a container, or that is pushed as a Hugging Face Space."""

import base64
import hashlib
import json
import re
import shutil
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from string import Template
from typing import Any, Literal

from tellapart.bundles.bundle import Bundle, write_manifest
from tellapart.bundles.manifest import KERAS, MANIFEST
from tellapart.errors import MissingPackageError, TellapartError
from tellapart.files import atomic_folder
from tellapart.models.classical.estimators import FOREST
from tellapart.text import counted, low_to_high

Kind = Literal["container", "space"]
TEMPLATES = Path(__file__).parent / "templates"
PORT = 7860  # the default port of a Space
SERVE = ("tellapart", "serve", "bundle", "--host", "0.0.0.0", "--port", str(PORT))  # noqa: S104  callers are outside the container
ADDRESSES = {"container": f"http://127.0.0.1:{PORT}", "space": "https://THE-ADDRESS-OF-THE-SPACE"}
BASE_IMAGE = "python:3.12-slim"
PINNED_IMAGE = re.compile(r"[a-z0-9][a-z0-9._/:-]{0,254}@sha256:[0-9a-f]{64}")
HOST_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?")
METRIC_TITLES = {
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "macro_f1": "macro F1",
    "top_3": "top-3 accuracy",
    "log_loss": "log-loss (lower is better)",
    "ece": "expected calibration error (lower is better)",
}
MAX_CLASSES = 100
TAGS = "Wheel-Version: 1.0\nGenerator: tellapart\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
METADATA_FILES = ("METADATA", "entry_points.txt", "licenses/LICENSE")
ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)  # a fixed date, so that the same files always give the same wheel


def package(
    bundle: Bundle | str | Path,
    kind: Kind,
    out: str | Path,
    *,
    token: bool = True,
    hosts: Sequence[str] = (),
    base_image: str = BASE_IMAGE,
) -> Path:
    """Write the folder `out`: the bundle without model.keras, tellapart as a wheel, requirements, Dockerfile, README.

    With `token` the service requires one, which is read from the environment at run time and never stored in the
    folder. `hosts` are allowed host names; a Space knows its own. `base_image` is pinned by its digest unless it is
    the default. Raises BundleError, and StorageError if `out` is not empty.
    """
    bundle = Bundle.of(bundle)
    bundle.verify()
    if invalid := [name for name in hosts if not HOST_NAME.fullmatch(name)]:
        raise TellapartError(
            f"{invalid[0]!r} is not a host name: expected one such as images.example.org, without a port"
        )
    if base_image != BASE_IMAGE and not PINNED_IMAGE.fullmatch(base_image):
        raise TellapartError(
            f"the parent image is {base_image!r}, expected one with its digest, such as {BASE_IMAGE}@sha256: and 64 "
            f"hex digits: docker image inspect --format '{{{{.RepoDigests}}}}' shows it after a pull"
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
            "base_image": base_image,
            "wheel": wheel.name,
            "start": _start_instruction(command, kind),
            **_template_fields(bundle, kind, token=token),
            "pin": "" if base_image != BASE_IMAGE else _read_template("pin.md"),
        }
        _write_template("Dockerfile.template", folder / "Dockerfile", fields)
        _write_template(f"{kind}.md.template", folder / "README.md", fields)
        for path in folder.rglob("*"):  # the container runs as another user
            path.chmod(0o755 if path.is_dir() else 0o644)
    return Path(out)


def _copy_bundle(bundle: Bundle, folder: Path) -> None:
    """Copy what serving needs of the bundle and nothing else, and verify the copy."""
    folder.mkdir()
    for name in {*bundle.hashes, MANIFEST} - {KERAS}:
        shutil.copyfile(bundle.folder / name, folder / name)
    if KERAS in bundle.hashes:
        write_manifest(folder, replace(bundle.manifest, copy_of=bundle.digest))
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


def model_card(bundle: Bundle) -> str:
    """Return paragraphs and a table: classes, input size, reject option, metrics on test images, licence."""
    return "\n\n".join(
        [_classes(bundle), *_reject_option(bundle), _metrics(bundle.metrics.get("test")), _licence(bundle)]
    )


def escape_markdown(text: str) -> str:
    """Escape text so that Markdown shows it literally, on one line."""
    return re.sub(r"([\\`*_{}\[\]<>()#|&~$])", r"\\\1", " ".join(text.split()))


def _classes(bundle: Bundle) -> str:
    names = ", ".join(escape_markdown(name) for name in bundle.classes[:MAX_CLASSES])
    more = f" and {len(bundle.classes) - MAX_CLASSES:,} more" if len(bundle.classes) > MAX_CLASSES else ""
    size, model = bundle.preprocessing, bundle.manifest.recipe.get("model")
    kind = f" It is tellapart's `{model}`." if model else ""
    return (
        f"It predicts {len(bundle.classes):,} classes from {size.height} x {size.width} px images: {names}{more}.{kind}"
    )


def _reject_option(bundle: Bundle) -> Iterator[str]:
    if (reject := bundle.reject) is not None:
        outlier = " or for images unlike its training images" * (reject.strangeness is not None)
        yield f'It answers "I don\'t know" below a confidence of {reject.probability:.3f}{outlier}.'


def _metrics(test: Mapping[str, Any] | None) -> str:
    if not test:
        return "It has not been evaluated on test images: use `tellapart evaluate`."
    rows = [f"| {title} | {_estimate(test[name])} |" for name, title in METRIC_TITLES.items() if test.get(name)]
    groups = f" of {counted(test['groups'], 'group')}" if "groups" in test else ""
    lead = (
        f"On {test['n']:,} test images{groups}, unseen in training and model selection (95% intervals in parentheses):"
    )
    return "\n".join([lead, "", "| metric | value |", "|---|---|", *rows])


def _estimate(estimate: Mapping[str, float]) -> str:
    return f"{estimate['value']:.3f} ({low_to_high(estimate['low'], estimate['high'], '.3f')})"


def _licence(bundle: Bundle) -> str:
    licence = bundle.manifest.licence
    weights = f"Its pre-trained weights are licensed under {escape_markdown(licence)}. " if licence else ""
    return (
        f"{weights}The licence of its training images is not known to tellapart, which is itself under Apache-2.0: add "
        f"it here before you share the classifier."
    )


PACKAGE = Path(__file__).parent.parent


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
