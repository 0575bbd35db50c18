"""Exporting makes no network requests."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tellapart import Bundle, Dataset
from tellapart.exporting.formats import FORMATS

# An audit hook sees every attempt by Python code, in any module, and cannot be removed.
WATCH = """
import os, sys
def audit(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto", "urllib.Request"):
        os.write(real, f"NETWORK {event} {arguments[-1]}\\n".encode())
        raise OSError("no network in this test")
real = os.dup(2)  # library output is captured
sys.addaudithook(audit)
"""
RUN = """
from tellapart import Dataset
from tellapart.exporting.export import export
from tellapart.exporting import int8
from tellapart.exporting import int8
bundle, data, out = sys.argv[1:4]
dataset = Dataset.open(data)
for to in sys.argv[4:]:
    export(bundle, dataset, to=to, out=__import__("pathlib").Path(out, to))
int8._rates = lambda _: {"int8": 2.0, "float32": 1.0}
int8.MAX_ACCURACY_LOSS = 1
int8.export_int8(bundle, dataset, to="openvino", out=__import__("pathlib").Path(out, "int8"))
"""


@pytest.mark.parametrize("attempt", ["", "import socket; socket.getaddrinfo('localhost', 80)"])
def test_no_format_makes_a_network_request(
    attempt: str, kinds: dict[str, Bundle], unseen_images: Dataset, tmp_path: Path
) -> None:
    (tmp_path / "home").mkdir()
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("XDG_", "TELLAPART_", "KERAS_"))
    }
    arguments = [str(kinds["network"].folder), str(unseen_images.source), str(tmp_path / "out"), *FORMATS]
    run = subprocess.run(
        [sys.executable, "-c", WATCH + (attempt or RUN), *arguments],
        capture_output=True,
        text=True,
        env={**environment, "HOME": str(tmp_path / "home"), "TMPDIR": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"},
        timeout=300,
    )
    if attempt:
        assert "NETWORK" in run.stderr
        return
    assert "NETWORK" not in run.stderr
    assert run.returncode == 0, run.stderr
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted([*FORMATS, "int8"])
    # Keras writes its settings at import; hashes of images, and that the bundle was found sound, are cached.
    expected = (Path(".keras/keras.json"), Path(".cache/tellapart/index"))
    written = [path.relative_to(tmp_path / "home") for path in (tmp_path / "home").rglob("*") if path.is_file()]
    unexpected = [path for path in written if not {path, path.parent} & set(expected)]
    assert [path for path in unexpected if path.parts[:3] != (".cache", "tellapart", "verified")] == []
