"""Any text is printed on any machine, and output that cannot be written ends in a sentence."""

import io
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tellapart.bundles.bundle import Bundle, write_manifest
from tellapart.cli.run_command import run
from tellapart.cli.streams import prepare_streams

NAMES = ("Größe", "名前")


class Stream(io.TextIOWrapper):
    """A standard stream of a machine with a code page; what is printed is `printed`."""

    def __init__(self, encoding: str, *, terminal: bool = False) -> None:
        self.printed = io.BytesIO()
        self.terminal = terminal
        super().__init__(self.printed, encoding)

    def isatty(self) -> bool:
        """Return whether it is a terminal."""
        return self.terminal


@pytest.fixture
def stdout(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Stream]]:
    def replace(encoding: str = "cp1252", **options: bool) -> Stream:
        stream = Stream(encoding, **options)
        monkeypatch.setattr(sys, "stdout", stream)
        return stream

    yield replace
    monkeypatch.undo()


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "photos"
    for number, name in enumerate(NAMES):
        (folder / name).mkdir(parents=True)
        for image in range(12):
            pixels = np.random.default_rng(100 * number + image).integers(0, 99 + 99 * number, (4, 4), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{image}.png")
    return folder


@pytest.fixture(scope="module")
def bundle(shades: Path, photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundle of shades, with names outside most code pages."""
    folder = Path(shutil.copytree(shades, tmp_path_factory.mktemp("bundles") / "names"))
    write_manifest(folder, replace(Bundle.open(folder).manifest, classes=NAMES))
    return folder


COMMANDS: dict[str, Callable[[Path, Path, Path], list[object]]] = {
    "predict": lambda bundle, photos, _: ["predict", bundle, photos],
    "predict csv": lambda bundle, photos, _: ["predict", bundle, photos, "--csv"],
    "evaluate": lambda bundle, photos, _: ["evaluate", bundle, photos],
    "split": lambda _, photos, folder: ["split", photos, "--fractions", "0.7,0.15,0.15", "--save", folder / "s.csv"],
}


@pytest.mark.parametrize("terminal", [False, True])
@pytest.mark.parametrize("name", COMMANDS)
def test_names_outside_the_code_page_are_printed(
    name: str, terminal: bool, bundle: Path, photos: Path, tmp_path: Path, stdout: Callable[..., Stream]
) -> None:
    stream = stdout(terminal=terminal)
    assert run([str(word) for word in COMMANDS[name](bundle, photos, tmp_path)]) == 0
    printed = stream.printed.getvalue()
    if terminal:
        assert b"\\u540d\\u524d" in printed
        assert "Größe".encode("cp1252") in printed
    else:
        assert all(name in printed.decode("utf-8") for name in NAMES)


def test_a_table_is_aligned_as_it_is_shown(photos: Path, tmp_path: Path, stdout: Callable[..., Stream]) -> None:
    stream = stdout(terminal=True)
    assert run(["split", str(photos), "--fractions", "0.7,0.15,0.15", "--save", str(tmp_path / "s.csv")]) == 0
    table = [line for line in stream.printed.getvalue().decode("cp1252").splitlines() if "  " in line]
    assert len(table) >= 4
    assert len({len(line) for line in table}) == 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [("caf\udce9", b"caf\xe9"), ("\ud800", b"\\ud800"), ("名\udce9\ud800", "名".encode() + b"\\udce9\\ud800")],
)
def test_bytes_of_file_names_are_kept_and_other_surrogates_escaped(
    text: str, expected: bytes, stdout: Callable[..., Stream]
) -> None:
    stream = stdout()
    prepare_streams()
    sys.stdout.write(text)
    sys.stdout.flush()
    assert stream.printed.getvalue() == expected


def tellapart(*words: str, redirected: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command with a redirection of the shell after it."""
    script = f'exec "$0" -m tellapart "$@" {redirected}'
    return subprocess.run(
        ["/bin/sh", "-c", script, sys.executable, *words],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this machine has no disk that is always full")
@pytest.mark.parametrize("words", [["--help"], ["--version"], ["train", "--help"]])
def test_a_full_disk_ends_in_a_sentence(words: list[str]) -> None:
    done = tellapart(*words, redirected="> /dev/full")
    assert done.returncode == 2
    assert done.stderr == (
        "error: standard output cannot be written: No space left on device. Free some space, or send it elsewhere\n"
    )


@pytest.mark.skipif(os.name != "posix", reason="streams can only be closed by a POSIX shell")
def test_closed_streams_are_no_traceback() -> None:
    done = tellapart("train", "--help", redirected="<&- >&-")
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(os.name != "posix", reason="pipes differ elsewhere")
def test_a_reader_that_has_gone_is_no_error() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-m", "tellapart", "train", "--help"], stdout=writing, stderr=subprocess.PIPE, check=False
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, b"")


def test_paths_on_standard_input_are_utf_8(bundle: Path, photos: Path) -> None:
    paths = "".join(f"{path}\n" for path in sorted(photos.rglob("*.png")))
    done = subprocess.run(
        [sys.executable, "-m", "tellapart", "predict", str(bundle), "-", "--json"],
        input=paths.encode(),
        capture_output=True,
        check=False,
        env={**os.environ, "PYTHONIOENCODING": "cp1252"},
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert [json.loads(line)["path"] for line in done.stdout.splitlines()] == paths.splitlines()
