"""What many tests stand on."""

import os
from pathlib import Path

import pytest

import tellapart.backend  # noqa: F401  settles Keras's backend before any test imports Keras


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reads or fills the cache of the person who runs it."""
    monkeypatch.setenv("TELLAPART_CACHE", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture(scope="session")
def photos() -> Path:
    """The folder of clothing photos, or a skip that says why."""
    folder = Path(os.environ.get("TELLAPART_DATA", "no such folder")) / "clothing"
    if not folder.is_dir():
        pytest.skip("real photos are absent: set TELLAPART_DATA to the folder that has clothing/")
    return folder


@pytest.fixture(scope="session")
def xception_weights() -> Path:
    """Real ImageNet weights of Xception, or a skip that says why."""
    file = Path(os.environ.get("TELLAPART_WEIGHTS", "no such folder")) / "xception.weights.h5"
    if not file.is_file():
        pytest.skip("real weights are absent: set TELLAPART_WEIGHTS to the folder that has xception.weights.h5")
    return file
