"""What a run ran on and with."""

import json
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest

from tellapart import __version__
from tellapart.data.dataset import Dataset
from tellapart.training.environment import environment


def test_it_says_versions_and_pictures_and_is_json(tiny: Path) -> None:
    dataset = Dataset.open(tiny)
    found = json.loads(json.dumps(environment(dataset)))
    assert found["tellapart"] == __version__
    assert found["packages"]["keras"] == version("keras")
    assert found["dataset"] == {
        "name": "tiny",
        "source": str(tiny),
        "fingerprint": dataset.fingerprint,
        "classes": ["blue", "green", "red"],
        "pictures": {"all": 36},
    }


def test_where_the_pictures_are_is_said_for_any_folder_one_may_ask_in(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    np.savez(tmp_path / "set.npz", x=np.zeros((4, 8, 8), np.uint8), y=np.arange(4) % 2)
    monkeypatch.chdir(tmp_path)
    assert environment(Dataset.open("set.npz"))["dataset"]["source"] == str(tmp_path / "set.npz")
    monkeypatch.chdir(tiny.parent)
    assert environment(Dataset.open(tiny.name))["dataset"]["source"] == str(tiny)
    assert environment(Dataset.open("digits"))["dataset"]["source"] == "digits"
