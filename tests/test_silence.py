"""What is written below Python goes to a file, what Python writes does not."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tellapart.progress import notify
from tellapart.silence import native_stderr_to

CODE = """
import os, sys
from pathlib import Path
from tellapart.silence import native_stderr_to
try:
    with native_stderr_to(Path(sys.argv[1])):
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
    with native_stderr_to(tmp_path / "log"):
        notify("captured")
        os.write(2, b"C++\n")
    assert capsys.readouterr().err == "captured\n"
    assert (tmp_path / "log").read_text() == "C++\n"


DISCARD = """
import os, sys
from tellapart.silence import silence_libraries
with silence_libraries():
    os.write(1, b"C++\\n")
    os.write(2, b"C++\\n")
    print("Python")
print("afterwards")
"""

HOLD = """
import os, sys
from tellapart.silence import hold_stderr
with hold_stderr():
    os.write(2, b"greeting\\n")
try:
    with hold_stderr():
        os.write(2, b"reason\\n")
        1 / 0
except ZeroDivisionError:
    pass
"""


def test_libraries_are_silenced_on_both_streams() -> None:
    done = subprocess.run([sys.executable, "-c", DISCARD], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("afterwards\n", "")


def test_held_output_is_printed_when_the_block_raises() -> None:
    done = subprocess.run([sys.executable, "-c", HOLD], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "reason\n")
