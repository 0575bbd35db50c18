"""Importing and predicting ask nothing of the network, and write nothing into the person's home."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

# An audit hook hears every attempt of Python code, whichever module makes it, and cannot be taken off again.
WATCH = """
import os, sys
asked = []
def heard(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto", "urllib.Request"):
        asked.append(event)
        os.write(2, f"NETWORK {event} {arguments[-1]}\\n".encode())
        raise OSError("no network in this test")
sys.addaudithook(heard)
"""


def watched(code: str, home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("XDG_", "TELLAPART_", "KERAS_"))}
    return subprocess.run(
        [sys.executable, "-c", WATCH + code, *words],
        capture_output=True,
        text=True,
        env={
            **kept,
            "HOME": str(home),
            "TMPDIR": str(home),
            "PYTHONDONTWRITEBYTECODE": "1",
            "KERAS_BACKEND": "tensorflow",
        },
        timeout=120,
    )


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "home").mkdir()
    return tmp_path / "home"


def written(home: Path) -> set[str]:
    """What of the cache was written: `verified` records that a bundle was run and found sound."""
    return {path.parent.parent.name for path in home.rglob("*") if path.is_file()}


def test_the_watch_hears_an_attempt(home: Path) -> None:
    for code in (
        "import socket; socket.create_connection(('127.0.0.1', 9))",
        "import socket; socket.getaddrinfo('localhost', 80)",
        "import urllib.request; urllib.request.urlopen('http://localhost/')",
    ):
        run = watched(code, home)
        assert run.returncode != 0
        assert "NETWORK" in run.stderr


def test_predicting_asks_nothing_and_writes_only_that_the_bundle_is_sound(
    shades: Path, home: Path, tmp_path: Path
) -> None:
    paths = []
    for number in range(20):
        paths.append(tmp_path / f"{number}.png")
        Image.new("L", (9, 9), 250 if number % 2 else 5).save(paths[-1])
    code = (
        "from tellapart import Predictor\n"
        "predictor = Predictor(sys.argv[1])\n"
        "print(*[answer.label for answer in predictor.predict(sys.argv[2:])])\n"
        "print(predictor.predict_one(open(sys.argv[2], 'rb').read(), path='x').label, asked)\n"
    )
    run = watched(code, home, str(shades), *map(str, paths))
    assert run.stderr == ""
    assert run.stdout.splitlines() == [" ".join(["dark", "light"] * 10), "dark []"]
    assert written(home) <= {"verified"}


@pytest.mark.parametrize("verb", ["predict", "show"])
def test_the_command_line_asks_nothing_and_writes_no_more(verb: str, shades: Path, home: Path, tmp_path: Path) -> None:
    image = io.BytesIO()
    Image.new("L", (9, 9), 250).save(image, "PNG")
    (tmp_path / "light.png").write_bytes(image.getvalue())
    words = {
        "predict": ["predict", str(shades), str(tmp_path / "light.png"), "--json"],
        "show": ["show", str(tmp_path / "light.png")],
    }[verb]
    run = watched("from tellapart.cli import main; main()", home, *words)
    assert "NETWORK" not in run.stderr
    assert run.returncode == 0, run.stderr
    if verb == "predict":
        assert json.loads(run.stdout)["label"] == "light"
    assert written(home) <= {"verified"}


def test_importing_everything_asks_nothing_and_writes_nothing(home: Path) -> None:
    code = (
        "import importlib, pkgutil, tellapart\n"
        "for found in pkgutil.walk_packages(tellapart.__path__, 'tellapart.'):\n"
        "    if not found.name.endswith('__main__'):\n"
        "        importlib.import_module(found.name)\n"
        "print(len(sys.modules), 'keras' in sys.modules, asked)\n"
    )
    run = watched(code, home)
    assert "NETWORK" not in run.stderr
    assert run.returncode == 0, run.stderr
    assert run.stdout.endswith("True []\n")
    own = Path(".keras/keras.json")  # Keras writes its settings down when it is imported
    assert {path.relative_to(home) for path in home.rglob("*") if path.is_file()} <= {own}
