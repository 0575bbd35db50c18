"""A predictor answers in processes that are forked or spawned, in threads, and as a copy by pickle."""

import copy
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from tellapart import Predictor
from tellapart.errors import BundleError

WAYS = {
    "fork": "dark",
    "spawn": "dark",
    "preload": "dark dark 7 7 dark",
    "busy": "dark 7",
    "midway": "refused 7 99",
}


@pytest.fixture
def image(tmp_path: Path) -> Path:
    Image.new("L", (4, 4), 3).save(tmp_path / "night.png")
    return tmp_path / "night.png"


@pytest.mark.skipif(sys.platform == "win32", reason="it cannot fork")
@pytest.mark.parametrize("way", WAYS)
def test_processes_answer_and_end(way: str, shades: Path, image: Path) -> None:
    script = Path(__file__).with_name("forking.py")
    done = subprocess.run(
        [sys.executable, script, way, shades, image], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.stdout.strip() == WAYS[way], done.stderr[-2000:]
    assert done.returncode == 0


def test_a_copy_answers_the_same(shades: Path, image: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(shades.parent)
    predictor = Predictor(shades.name, precision="float32")
    expected = predictor.predict_one(image)
    content = pickle.dumps(predictor)
    monkeypatch.chdir("/")
    for other in (pickle.loads(content), copy.deepcopy(predictor)):  # noqa: S301  our own
        assert other.predict_one(image) == expected


def test_a_copy_of_another_bundle_is_refused(shades: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(shades, tmp_path / "bundle")
    content = pickle.dumps(Predictor(folder))
    manifest = folder / "bundle.json"
    manifest.write_text(manifest.read_text().replace('"model.bin": "', '"model.bin": "0'))
    with pytest.raises(BundleError):
        pickle.loads(content)  # noqa: S301  our own
