"""`tellapart features`: what a network sees is kept, by whoever computed it."""

from pathlib import Path

import pytest

from tellapart.checking import features_of
from tellapart.models import networks

from .conftest import Said


@pytest.fixture
def _means(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A base that gives the mean colour stands in for mobilenet, whose weights are a file."""
    import keras

    pictures = keras.Input((224, 224, 3), dtype="uint8")
    means = keras.layers.GlobalAveragePooling2D()(keras.layers.Rescaling(1 / 255)(pictures))
    monkeypatch.setattr(networks, "base_network", lambda *_: keras.Model(pictures, means))
    (tmp_path / "mobilenet.weights.h5").write_bytes(b"weights")
    monkeypatch.setenv("TELLAPART_WEIGHTS", str(tmp_path))


@pytest.mark.usefixtures("_means")
def test_features_are_computed_once(said: Said, tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = said("features", tiny, "--model", "mobilenet")
    assert (first.status, first.out.startswith("36 pictures as mobilenet sees them, 0 unreadable: kept in ")) == (
        0,
        True,
    )
    monkeypatch.setattr(features_of, "load_keras", lambda: pytest.fail("Keras was loaded"))
    assert said("features", tiny, "--model", "mobilenet").out == first.out


def test_what_is_no_network_with_weights_is_refused(said: Said, tiny: Path) -> None:
    assert said("features", tiny, "--model", "cnn").error.startswith("cnn never trained on other pictures")
    assert "--workers is about a cluster" in said("features", tiny, "--model", "xception", "--workers", 2).error
