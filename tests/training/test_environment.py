"""What a run ran on and with."""

import json
from importlib.metadata import version
from pathlib import Path

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
        "fingerprint": dataset.fingerprint,
        "classes": ["blue", "green", "red"],
        "pictures": {"all": 36},
    }
