"""The wheel of the installed tellapart: complete, installable, reproducible."""

import csv
import io
import os
import subprocess
import sys
import zipfile
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest

from tellapart import __version__
from tellapart.errors import MissingPackageError
from tellapart.exporting import wheel
from tellapart.exporting.wheel import PACKAGE, write_wheel


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

    monkeypatch.setattr(wheel, "distribution", absent)
    with pytest.raises(MissingPackageError, match="is not installed as a package"):
        write_wheel(tmp_path)
