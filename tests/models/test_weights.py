"""Where weights come from, and the sentences when they are absent or do not fit."""

import sys
from pathlib import Path
from typing import NoReturn

import keras
import numpy as np
import pytest
from numpy.typing import NDArray

from tellapart.errors import WeightsError
from tellapart.models.networks import backbone_network
from tellapart.models.weights import locate_weights

IMAGES = np.random.default_rng(1).integers(0, 256, (2, 32, 32, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def mobilenet_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("weights") / "mobilenet.weights.h5"
    keras.applications.MobileNet(weights=None, include_top=False, input_shape=(32, 32, 3)).save_weights(file)
    return file


def test_none_is_random_weights() -> None:
    assert locate_weights("mobilenet", "none") is None


def test_a_missing_file_is_refused_with_what_was_expected(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"there is no weights file .*gone\.h5; expected imagenet, none, or a"):
        locate_weights("mobilenet", str(tmp_path / "gone.h5"))


@pytest.mark.parametrize("ending", [".weights.h5", ".h5"])
def test_the_folder_of_weights_is_searched_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: str) -> None:
    (tmp_path / f"vgg16{ending}").touch()
    monkeypatch.setenv("TELLAPART_WEIGHTS", str(tmp_path))
    assert locate_weights("vgg16", "imagenet") == str(tmp_path / f"vgg16{ending}")
    assert locate_weights("vgg19", "imagenet") == "imagenet"


def test_weights_are_loaded_from_a_file(mobilenet_file: Path) -> None:
    one, other = (backbone_network("mobilenet", 32, str(mobilenet_file)) for _ in range(2))
    expected = keras.applications.MobileNet(weights=None, include_top=False, input_shape=(32, 32, 3))
    expected.load_weights(mobilenet_file)
    for array, same, true in zip(one.get_weights(), other.get_weights(), expected.get_weights(), strict=True):
        np.testing.assert_array_equal(array, same)
        np.testing.assert_array_equal(array, true)


def fails(*_: object, **__: object) -> NoReturn:
    raise Exception("URL fetch failure on https://example.org: None -- [Errno 111] Connection refused")  # noqa: TRY002  as Keras


def test_a_failed_download_is_reported_with_three_ways_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TELLAPART_WEIGHTS", raising=False)
    monkeypatch.setattr("keras.src.utils.file_utils.get_file", fails)
    with pytest.raises(WeightsError) as refusal:
        backbone_network("mobilenet", 32, "imagenet")
    for part in ("mobilenet", "Connection refused", "TELLAPART_WEIGHTS", "--weights FILE", "--weights none"):
        assert part in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_the_progress_of_a_download_stays_off_standard_output(
    monkeypatch: pytest.MonkeyPatch, mobilenet_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def download(*_: object, **__: object) -> str:
        sys.stdout.write("Downloading data from https://example.org")
        return str(mobilenet_file)

    monkeypatch.delenv("TELLAPART_WEIGHTS", raising=False)
    monkeypatch.setattr("keras.src.utils.file_utils.get_file", download)
    backbone_network("mobilenet", 32, "imagenet")
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "Downloading data from" in printed.err


@pytest.mark.parametrize("wrong", ["another model", "no HDF5", "another ending", "nothing"])
def test_weights_that_do_not_fit_are_refused(tmp_path: Path, mobilenet_file: Path, wrong: str) -> None:
    file = tmp_path / ("weights.txt" if wrong == "another ending" else "wrong.weights.h5")
    content = {
        "another model": mobilenet_file.read_bytes(),
        "no HDF5": b"hello",
        "another ending": b"1",
        "nothing": b"",
    }
    file.write_bytes(content[wrong])
    with pytest.raises(WeightsError) as refusal:
        backbone_network("mobilenet-v2", 32, str(file))
    assert f"{file} does not fit mobilenet-v2" in str(refusal.value)
    assert "\n" not in str(refusal.value)


def first_convolution(network: keras.Model) -> NDArray[np.float32]:
    """The output of a backbone's first convolution: in deeper layers, rounding errors are too large to compare."""
    base = next(layer for layer in network.layers if isinstance(layer, keras.Model))
    layer = next(layer for layer in base.layers if isinstance(layer, keras.layers.Conv2D))
    outputs: NDArray[np.float32] = keras.Model(base.inputs, layer.output).predict_on_batch(IMAGES.astype(np.float32))
    return outputs


@pytest.mark.parametrize(
    "name", ["efficientnet-b0", pytest.param("efficientnet-v2-b0", marks=pytest.mark.long), "mobilenet-v3-small"]
)
def test_imagenet_weights_from_a_file_give_the_features_of_imagenet_weights_from_keras(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some builders of Keras add a layer only where Keras itself finds the weights."""
    classes = {
        "efficientnet-b0": "EfficientNetB0",
        "efficientnet-v2-b0": "EfficientNetV2B0",
        "mobilenet-v3-small": "MobileNetV3Small",
    }
    made = getattr(keras.applications, classes[name])(weights=None, include_top=False, input_shape=(32, 32, 3))
    for layer in made.layers:
        if isinstance(layer, keras.layers.Normalization) and layer.get_weights():
            layer.set_weights([np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225]) ** 2, np.array(0)])
    file = tmp_path / f"{name}.weights.h5"
    made.save_weights(file)
    monkeypatch.delenv("TELLAPART_WEIGHTS", raising=False)
    monkeypatch.setattr("keras.src.utils.file_utils.get_file", lambda *_, **__: str(file))
    theirs = backbone_network(name, 32, "imagenet")
    ours = backbone_network(name, 32, str(file))
    expected = first_convolution(theirs)
    assert expected.std() > 0.1
    np.testing.assert_allclose(first_convolution(ours), expected, atol=1e-5)
