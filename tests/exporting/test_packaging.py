"""Packaged folders: complete, pinned and protected; their start command works."""

import csv
import io
import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
import tomllib
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import Any

import pytest

from tellapart import Bundle, Dataset, Predictor, Recipe, __version__, train
from tellapart.bundles.bundle import write_manifest
from tellapart.bundles.calibrate import calibrate
from tellapart.bundles.keras_network import load_network
from tellapart.errors import BundleError, MissingPackageError, StorageError, TellapartError
from tellapart.exporting import packaging
from tellapart.exporting.export import export
from tellapart.exporting.packaging import PACKAGE, TEMPLATES, Kind, package, write_wheel
from tellapart.training.run import Run

ROOT = Path(__file__).parents[2]
KINDS = ("container", "space")
TOKEN = "a-token-for-the-tests"  # noqa: S105  not a secret
PIN = re.compile(r"^([a-z0-9._-]+)(?:\[[a-z,]+\])?==(\S+)", re.MULTILINE)


@pytest.fixture
def bundle(trained: Run) -> Bundle:
    return trained.bundle


def instruction(dockerfile: Path) -> list[str]:
    """Return the arguments of the instruction that starts the service."""
    last = dockerfile.read_text().strip().splitlines()[-1]
    arguments: list[str] = json.loads(last.partition(" ")[2])
    return arguments


def pins(text: str) -> dict[tuple[str, str], set[str]]:
    """Map each package and version to its hashes."""
    blocks = re.split(r"^(?=\S)", text, flags=re.MULTILINE)
    return {
        (match[1], match[2]): set(re.findall(r"--hash=(sha256:[0-9a-f]{64})", block))
        for block in blocks
        if (match := PIN.match(block))
    }


@pytest.mark.parametrize("kind", KINDS)
def test_the_folder_has_the_build_files_and_the_bundle(bundle: Bundle, tmp_path: Path, kind: Kind) -> None:
    folder = package(bundle, kind, tmp_path / "out")
    wheel = next(folder.glob("*.whl")).name
    names = {".dockerignore", "Dockerfile", "README.md", "bundle", "requirements.txt", wheel}
    assert {path.name for path in folder.iterdir()} == names | ({".gitattributes"} if kind == "space" else set())
    copy = Bundle.open(folder / "bundle")
    copy.verify()
    assert copy.hashes == {name: digest for name, digest in bundle.hashes.items() if name != "model.keras"}
    assert replace(copy.manifest, copy_of=None) == bundle.manifest
    assert copy.id == bundle.id == bundle.digest[:12]
    assert all(path.stat().st_mode & 0o777 == (0o755 if path.is_dir() else 0o644) for path in folder.rglob("*"))


@pytest.mark.parametrize("kind", KINDS)
def test_the_container_is_unprivileged_and_installs_only_pinned_packages(
    bundle: Bundle, tmp_path: Path, kind: Kind
) -> None:
    folder = package(bundle, kind, tmp_path / "out")
    lines = (folder / "Dockerfile").read_text().splitlines()
    assert lines.index("USER 1000") > max(i for i, line in enumerate(lines) if line.startswith("RUN"))
    assert "RUN pip install --require-hashes --only-binary :all: -r /tmp/requirements.txt" in lines
    assert "ENV TELLAPART_SERVE_LOG_FORMAT=json" in lines
    copied = [line.split()[1] for line in lines if line.startswith("COPY")]
    assert all((folder / name).exists() for name in copied)
    included = [line[1:] for line in (folder / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    assert {name.rstrip("/") for name in copied} <= {path.name for rule in included for path in folder.glob(rule)}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("token", [True, False])
def test_callers_need_a_token_unless_it_is_waived(bundle: Bundle, tmp_path: Path, kind: Kind, token: bool) -> None:
    folder = package(bundle, kind, tmp_path / "out", token=token)
    start = " ".join(instruction(folder / "Dockerfile"))
    assert "tellapart serve bundle --host 0.0.0.0 --port 7860" in start
    assert ("--no-token" in start) == (not token)
    readme = (folder / "README.md").read_text()
    assert ("Authorization: Bearer $TELLAPART_TOKEN" in readme) == token
    assert ("open to everyone who can reach it" in readme) == (not token)


PINNED = f"python:3.12-slim@sha256:{'0123456789abcdef' * 4}"


@pytest.mark.parametrize("kind", KINDS)
def test_the_base_image_can_be_pinned_by_its_digest(bundle: Bundle, tmp_path: Path, kind: Kind) -> None:
    for out, base_image in (
        ("default", "python:3.12-slim"),
        ("pinned", PINNED),
        ("mirror", f"a.example:5000/{PINNED}"),
    ):
        folder = package(bundle, kind, tmp_path / out, base_image=base_image)
        assert f"FROM {base_image}" in (folder / "Dockerfile").read_text().splitlines()
        assert ("--base-image python:3.12-slim@sha256:" in (folder / "README.md").read_text()) == (out == "default")


@pytest.mark.parametrize("name", ["python:3.13-slim", "sha256:" + "0" * 64, PINNED[:-1], PINNED + "\nRUN x", ""])
def test_a_base_image_without_its_digest_is_refused(bundle: Bundle, tmp_path: Path, name: str) -> None:
    with pytest.raises(TellapartError, match="expected one with its digest, such as python"):
        package(bundle, "container", tmp_path / "out", base_image=name)
    assert not (tmp_path / "out").exists()


def test_a_copy_to_serve_predicts_the_same_and_is_not_changed_or_exported(
    bundle: Bundle, tiny: Path, tmp_path: Path
) -> None:
    copy = Bundle.open(package(bundle, "container", tmp_path / "out") / "bundle")
    files = sorted(tiny.rglob("*.png"))[:3]
    assert list(Predictor(copy).predict(files)) == list(Predictor(bundle).predict(files))
    again = Bundle.open(package(copy, "container", tmp_path / "again") / "bundle")
    assert (again.digest, again.id) == (copy.digest, bundle.id)
    for refused in (
        lambda: load_network(copy),
        lambda: export(copy, Dataset.open(tiny), to="keras", out=tmp_path / "keras"),
        lambda: calibrate(copy, Dataset.open(tiny), out=tmp_path / "calibrated", coverage=0.9),
    ):
        with pytest.raises(BundleError, match=f"is a copy to serve, .* sha256 begins with {bundle.id}"):
            refused()


def test_the_readme_of_a_space_has_its_front_matter(bundle: Bundle, tmp_path: Path) -> None:
    folder = package(bundle, "space", tmp_path / "out")
    _, front, _ = (folder / "README.md").read_text().split("---\n", 2)
    assert front.splitlines() == ['title: "tiny"', "sdk: docker", "app_port: 7860", "pinned: false"]
    assert '--allow-host "${SPACE_HOST:-localhost}"' in instruction(folder / "Dockerfile")[2]


def test_allowed_hosts_are_in_the_start_command(bundle: Bundle, tmp_path: Path) -> None:
    folder = package(bundle, "container", tmp_path / "out", hosts=["a.example.org", "b.example.org"])
    command = instruction(folder / "Dockerfile")
    assert command[-4:] == ["--allow-host", "a.example.org", "--allow-host", "b.example.org"]


@pytest.mark.parametrize("name", ['x"; touch y', "http://a.example.org", "a.example.org:80", "", "-x", "a b"])
def test_an_invalid_host_name_is_refused(bundle: Bundle, tmp_path: Path, name: str) -> None:
    with pytest.raises(TellapartError, match="is not a host name"):
        package(bundle, "space", tmp_path / "out", hosts=[name])
    assert not (tmp_path / "out").exists()


def test_the_readme_describes_the_classifier_and_its_accuracy(bundle: Bundle, tmp_path: Path) -> None:
    readme = (package(bundle, "container", tmp_path / "out") / "README.md").read_text()
    accuracy = bundle.metrics["test"]["accuracy"]
    assert "3 classes from 20 x 20 px images: blue, green, red" in readme
    assert f"| accuracy | {accuracy['value']:.3f} ({accuracy['low']:.3f} to {accuracy['high']:.3f}) |" in readme
    assert "The licence of its training images is not known" in readme
    assert "$" not in readme.replace("$TELLAPART_TOKEN", "").replace("$(openssl", "")


@pytest.mark.parametrize("kind", KINDS)
def test_special_characters_in_names_are_escaped(bundle: Bundle, tmp_path: Path, kind: Kind) -> None:
    odd = tmp_path / "odd"
    shutil.copytree(bundle.folder, odd)
    (odd / "bundle.json").unlink()
    facts = replace(
        bundle.manifest,
        name='a "b"\n---\n$port <script>',
        classes=("[x](y)", "<b>", "a|b"),
        metrics={},
        licence="MIT",
        reject={"probability": 0.5, "strangeness": None},
    )
    write_manifest(odd, facts)
    folder = package(odd, kind, tmp_path / "out")
    readme = (folder / "README.md").read_text()
    assert "\\[x\\]\\(y\\), \\<b\\>, a\\|b" in readme
    assert "<script>" not in readme.replace('title: "a \\"b\\" --- $port <script>"\n', "")
    assert "below a confidence of 0.500." in readme
    assert "has not been evaluated on test images" in readme
    assert "weights are licensed under MIT" in readme
    assert "docker build -t a-b-port-script ." in readme or kind == "space"


def test_a_folder_in_use_is_left_alone(bundle: Bundle, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").write_text("mine")
    with pytest.raises(StorageError, match="is there already and not empty"):
        package(bundle, "container", tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["mine"]


def test_a_damaged_bundle_is_refused(bundle: Bundle, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged"
    shutil.copytree(bundle.folder, damaged)
    (damaged / "model.bin").write_bytes(b"")
    with pytest.raises(BundleError):
        package(damaged, "container", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_forest_is_packaged_with_its_requirements(tiny: Path, tmp_path: Path) -> None:
    run = train(Dataset.open(tiny), Recipe(model="forest", features="pixels", size=8, trees=5), out=tmp_path / "run")
    text = (package(run.bundle, "container", tmp_path / "out") / "requirements.txt").read_text()
    assert {"scikit-learn", "skops"} <= {name for name, _ in pins(text)}


def test_the_pins_are_tested_and_cover_every_dependency() -> None:
    tested = pins((ROOT / "requirements" / "dev.txt").read_text())
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    required = {re.split(r"[><=\[;]", line)[0] for line in project["dependencies"]}
    for name, extra in (("requirements.txt", set()), ("requirements-forest.txt", {"scikit-learn", "skops"})):
        found = pins((TEMPLATES / name).read_text())
        assert found.items() <= tested.items(), f"{name} is out of date: make requirements"
        assert required | extra <= {package for package, _ in found}
        assert all(found.values())
        assert not {"tensorflow", "tensorflow-cpu", "keras"} & {package for package, _ in found}


@contextmanager
def serving(folder: Path, programs: Path, **environment: str) -> Iterator[str]:
    """Run the start command of a Dockerfile as its container would; yield the address."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    words = [word.replace("7860", port) for word in instruction(folder / "Dockerfile")]
    settings = {"PATH": f"{programs}:/usr/bin:/bin", "HOME": str(folder), **environment}
    with subprocess.Popen(words, cwd=folder, env=settings, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield _wait_until_healthy(f"http://127.0.0.1:{port}", process)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=30)


def _wait_until_healthy(address: str, process: "subprocess.Popen[str]") -> str:
    deadline = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < deadline:
        try:
            request_json(address, "/health")
        except OSError:
            time.sleep(0.05)
        else:
            return address
    assert process.stderr
    process.kill()
    pytest.fail(f"the service does not answer: {process.stderr.read()}")


def request_json(address: str, path: str, data: bytes | None = None, **headers: str) -> dict[str, Any]:
    request = urllib.request.Request(address + path, data, headers)  # noqa: S310  http, as named by the tests
    with urllib.request.urlopen(request, timeout=30) as response:  # noqa: S310
        answer: dict[str, Any] = json.load(response)
        return answer


def require_protected(address: str, image: Path, bundle: Bundle) -> None:
    with pytest.raises(urllib.error.HTTPError, match="401"):
        request_json(address, "/v1/model")
    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "image/png"}
    (answer,) = request_json(address, "/v1/predict", image.read_bytes(), **headers)["answers"]
    assert answer["label"] in bundle.classes


@pytest.mark.parametrize("kind", KINDS)
def test_the_start_command_starts_the_service(bundle: Bundle, tiny: Path, tmp_path: Path, kind: Kind) -> None:
    folder = package(bundle, kind, tmp_path / "out")
    with serving(folder, Path(sys.executable).parent, TELLAPART_TOKEN=TOKEN) as address:
        require_protected(address, next(tiny.rglob("*.png")), bundle)


def test_the_service_does_not_start_without_its_token(bundle: Bundle, tmp_path: Path) -> None:
    folder = package(bundle, "container", tmp_path / "out")
    settings = {"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin"}
    process = subprocess.run(
        instruction(folder / "Dockerfile"), cwd=folder, env=settings, capture_output=True, text=True, timeout=60
    )
    assert process.returncode == 2
    assert "no token is set" in process.stderr


def test_a_public_space_answers_under_its_host_name(bundle: Bundle, tmp_path: Path) -> None:
    folder = package(bundle, "space", tmp_path / "out", token=False)
    with serving(folder, Path(sys.executable).parent, SPACE_HOST="me-tiny.example.org") as address:
        assert request_json(address, "/v1/model", Host="me-tiny.example.org")["name"] == "tiny"
        with pytest.raises(urllib.error.HTTPError, match="421"):
            request_json(address, "/v1/model", Host="else.example.org")


@pytest.mark.long
def test_the_pinned_packages_can_be_installed_and_serve(bundle: Bundle, tiny: Path, tmp_path: Path) -> None:
    """Install as the Dockerfile does, in a fresh environment; needs a registry."""
    folder = package(bundle, "container", tmp_path / "out")
    programs = tmp_path / "fresh" / "bin"
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path / "fresh")], check=True)
    runs = [line for line in (folder / "Dockerfile").read_text().splitlines() if line.startswith("RUN pip")]
    for line in runs:
        words = [word.replace("/tmp/", f"{folder}/") for word in shlex.split(line)[1:]]  # noqa: S108
        process = subprocess.run([str(programs / words[0]), *words[1:]], capture_output=True, text=True, env=os.environ)
        if "connection" in process.stderr.lower() and process.returncode:
            pytest.skip("there is no package registry")
        assert process.returncode == 0, process.stderr
    assert not list(programs.parent.glob("lib/*/site-packages/tensorflow*"))
    with serving(folder, programs, TELLAPART_TOKEN=TOKEN) as address:
        require_protected(address, next(tiny.rglob("*.png")), bundle)


def test_the_wheel_can_be_installed_and_imported(tmp_path: Path) -> None:
    path = write_wheel(tmp_path)
    target = tmp_path / "target"
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", str(target)]
    done = subprocess.run([*command, str(path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (target / "bin" / "tellapart").exists()
    code = "import tellapart, tellapart.serving.app as app; print(tellapart.__version__, app.__file__)"
    environment = {**os.environ, "PYTHONPATH": str(target)}
    process = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, cwd=tmp_path, check=True
    )
    assert process.stdout.split() == [__version__, str(target / "tellapart" / "serving" / "app.py")]


def test_the_wheel_has_and_records_every_file_of_the_package(tmp_path: Path) -> None:
    with zipfile.ZipFile(write_wheel(tmp_path)) as archive:
        names = archive.namelist()
        record = next(name for name in names if name.endswith(".dist-info/RECORD"))
        rows = list(csv.reader(io.StringIO(archive.read(record).decode())))
    assert [row[0] for row in rows] == names
    expected = {path.relative_to(PACKAGE.parent).as_posix() for path in PACKAGE.rglob("*") if path.is_file()}
    assert {name for name in names if ".dist-info" not in name} == {n for n in expected if "__pycache__" not in n}
    assert any(name.endswith("licenses/LICENSE") for name in names)


def test_the_wheel_is_reproducible(tmp_path: Path) -> None:
    (tmp_path / "again").mkdir()
    assert write_wheel(tmp_path).read_bytes() == write_wheel(tmp_path / "again").read_bytes()


def test_a_tellapart_that_is_not_installed_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> None:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(packaging, "distribution", absent)
    with pytest.raises(MissingPackageError, match="is not installed as a package"):
        write_wheel(tmp_path)
