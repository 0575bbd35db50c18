"""What is written below Python goes to a file, what Python writes does not."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tellapart.progress import notify
from tellapart.scale.silence import aside

CODE = """
import os, sys
from pathlib import Path
from tellapart.scale.silence import aside
try:
    with aside(Path(sys.argv[1])):
        os.write(2, b"C++\\n")
        os.system("echo a child >&2")
        print("a person", file=sys.stderr)
        1 / 0
except ZeroDivisionError:
    os.write(2, b"afterwards\\n")
    print("afterwards", file=sys.stderr)
"""


def test_the_terminal_is_the_persons(tmp_path: Path) -> None:
    log = tmp_path / "log"
    done = subprocess.run([sys.executable, "-c", CODE, str(log)], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "a person\nafterwards\nafterwards\n")
    assert log.read_text() == "C++\na child\n"


def test_a_stream_put_in_its_place_stays(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with aside(tmp_path / "log"):
        notify("captured")
        os.write(2, b"C++\n")
    assert capsys.readouterr().err == "captured\n"
    assert (tmp_path / "log").read_text() == "C++\n"
