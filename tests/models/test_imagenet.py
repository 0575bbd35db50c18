"""ImageNet's classes: where weights and names come from, and Keras's own answers as the yardstick."""

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

import keras
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from tellapart.errors import ImageError, RecipeError, WeightsError
from tellapart.models import imagenet as module
from tellapart.models.imagenet import INDEX_FILE, ImageNet, ImageNetClass, imagenet_classes, open_imagenet
from tellapart.models.weights import keras_download

SIZE = 32
NAMES = {str(number): [f"n{number:08}", f"thing_{number}"] for number in range(1000)}


@pytest.fixture(scope="module")
def whole(awaken: Callable[[keras.Model], None]) -> keras.Model:
    keras.utils.set_random_seed(3)
    network = keras.applications.MobileNetV2(weights=None, input_shape=(SIZE, SIZE, 3))
    awaken(network)
    top = network.layers[-1]
    top.kernel.assign(20 * top.kernel)  # so that answers differ
    return network


@pytest.fixture(scope="module")
def weights(whole: keras.Model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("weights") / "own.weights.h5"
    whole.save_weights(file)
    return file


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of weights with the names of the classes; Keras's own is empty, and there is no network."""
    (tmp_path / INDEX_FILE).write_text(json.dumps(NAMES))
    monkeypatch.setenv("TELLAPART_WEIGHTS", str(tmp_path))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setattr("keras.src.utils.file_utils.get_file", fails)
    return tmp_path


@pytest.fixture
def images(tmp_path: Path) -> list[str]:
    rng = np.random.default_rng(0)
    paths = [tmp_path / f"{number}.png" for number in range(10)]
    for path in paths:
        coarse = Image.fromarray(rng.integers(0, 256, (3, 3, 3), dtype=np.uint8))
        coarse.resize((SIZE, SIZE), Image.Resampling.BICUBIC).save(path)
    return [str(path) for path in paths]


def fails(*_: object, **__: object) -> NoReturn:
    raise Exception("URL fetch failure on https://example.org: None -- Connection refused")  # noqa: TRY002  as Keras


def answers(network: ImageNet, paths: Sequence[str]) -> NDArray[np.float32]:
    rows = list(network.probabilities(paths, precision="float32"))
    return np.stack([row for row in rows if not isinstance(row, ImageError)])


def test_the_predictions_are_those_of_keras(
    whole: keras.Model, weights: Path, folder: Path, images: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    network = open_imagenet("mobilenet-v2", weights, size=SIZE)
    found = answers(network, images)
    assert [isinstance(one, ImageError) for one in network.probabilities(["gone.png", images[0]])] == [True, False]
    arrays = np.stack([keras.utils.img_to_array(keras.utils.load_img(path)) for path in images])
    expected = whole.predict_on_batch(keras.applications.mobilenet_v2.preprocess_input(arrays))
    assert expected.max() > 0.01
    np.testing.assert_allclose(found, expected, atol=1e-3)
    monkeypatch.setattr("keras.src.applications.imagenet_utils.CLASS_INDEX", NAMES)
    decoded = keras.applications.imagenet_utils.decode_predictions(found, top=1)
    for answer, ((wordnet, label, _),) in zip(found, decoded, strict=True):
        assert network.classes[int(np.argmax(answer))] == ImageNetClass(wordnet, label)


def test_the_second_time_needs_no_keras(
    weights: Path, folder: Path, images: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = answers(open_imagenet("mobilenet-v2", weights, size=SIZE), images[:1])
    monkeypatch.setattr(module, "load_keras", lambda: pytest.fail("Keras was loaded"))
    again = answers(open_imagenet("mobilenet-v2", weights, size=SIZE), images[:1])
    np.testing.assert_array_equal(first, again)
    code = (
        "import sys; from pathlib import Path; from tellapart.models.imagenet import open_imagenet;"
        f"open_imagenet('mobilenet-v2', Path(sys.argv[1]), size={SIZE});"
        "sys.exit(str({'keras', 'tensorflow', 'h5py'} & set(sys.modules) or ''))"
    )
    done = subprocess.run([sys.executable, "-c", code, str(weights)], capture_output=True, text=True)
    assert done.stderr.strip() == ""


def test_other_weights_are_another_network(
    whole: keras.Model, weights: Path, folder: Path, images: list[str], tmp_path: Path
) -> None:
    other = tmp_path / "other.weights.h5"
    keras.applications.MobileNetV2(weights=None, input_shape=(SIZE, SIZE, 3)).save_weights(other)
    one, two = (answers(open_imagenet("mobilenet-v2", file, size=SIZE), images[:1]) for file in (weights, other))
    assert not np.allclose(one, two)


@pytest.mark.parametrize("ending", ["-top.weights.h5", "-top.h5"])
def test_weights_are_found_in_the_folder(weights: Path, folder: Path, ending: str) -> None:
    (folder / f"mobilenet-v2{ending}").write_bytes(weights.read_bytes())
    if ending == "-top.h5":  # which Keras reads in another form: only that it is found counts here
        with pytest.raises(WeightsError, match=r"mobilenet-v2-top\.h5 does not fit"):
            open_imagenet("mobilenet-v2", size=SIZE)
    else:
        assert len(open_imagenet("mobilenet-v2", size=SIZE).classes) == 1000


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("xception", "xception_weights_tf_dim_ordering_tf_kernels.h5"),
        ("mobilenet", "mobilenet_1_0_224_tf.h5"),
        ("mobilenet-v2", "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224.h5"),
        ("mobilenet-v3-small", "weights_mobilenet_v3_small_224_1.0_float.h5"),
        ("resnet50", "resnet50_weights_tf_dim_ordering_tf_kernels.h5"),
        ("resnet50-v2", "resnet50v2_weights_tf_dim_ordering_tf_kernels.h5"),
        ("nasnet-mobile", "NASNet-mobile.h5"),
        ("efficientnet-b0", "efficientnetb0.h5"),
        ("efficientnet-v2-b0", "efficientnetv2-b0.h5"),
        ("convnext-tiny", "convnext_tiny.h5"),
    ],
)
def test_the_download_of_keras_is_found_under_any_of_its_names(folder: Path, name: str, file: str) -> None:
    kept = folder / "keras" / "models"
    kept.mkdir(parents=True)
    (kept / file.replace(".h5", "_notop.h5")).touch()
    assert keras_download(name, top=True) is None
    (kept / file).touch()
    assert keras_download(name, top=True) == kept / file
    others = [other for other in ("mobilenet", "resnet50", "vgg16", "efficientnet-b0") if other != name]
    assert [keras_download(other, top=True) for other in others] == [None] * len(others)


def test_a_failed_download_is_reported_with_what_to_do(folder: Path) -> None:
    with pytest.raises(WeightsError) as refusal:
        open_imagenet("mobilenet-v2")
    for part in ("with its top", "Connection refused", "mobilenet-v2-top.weights.h5", "TELLAPART_WEIGHTS", "--weights"):
        assert part in str(refusal.value)


def test_weights_without_the_top_are_refused(folder: Path) -> None:
    file = folder / "notop.weights.h5"
    keras.applications.MobileNetV2(weights=None, include_top=False, input_shape=(SIZE, SIZE, 3)).save_weights(file)
    with pytest.raises(WeightsError, match="without the top, which train takes, have no classes"):
        open_imagenet("mobilenet-v2", file, size=SIZE)


def test_a_model_never_trained_on_imagenet_is_refused(folder: Path) -> None:
    with pytest.raises(RecipeError, match=r"mlp was never trained on ImageNet; these were: xception"):
        open_imagenet("mlp")
    with pytest.raises(RecipeError, match="did you mean xception"):
        open_imagenet("xceptoin")
    with pytest.raises(WeightsError, match=r"there is no weights file gone\.h5"):
        open_imagenet("xception", Path("gone.h5"))


def test_the_names_come_from_the_folder_then_from_keras(folder: Path) -> None:
    assert imagenet_classes()[7] == ImageNetClass("n00000007", "thing_7")
    (folder / "keras" / "models").mkdir(parents=True)
    (folder / INDEX_FILE).rename(folder / "keras" / "models" / INDEX_FILE)
    assert imagenet_classes()[999] == ImageNetClass("n00000999", "thing_999")


def test_a_failed_download_of_the_class_names_is_reported(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / INDEX_FILE).unlink()
    monkeypatch.setattr("keras.src.applications.imagenet_utils.CLASS_INDEX", None)
    with pytest.raises(WeightsError, match=rf"names of ImageNet's classes .* Put Keras's {INDEX_FILE} into a folder"):
        imagenet_classes()


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"0": ["n1"]}', json.dumps({**NAMES, "999": 3}), "[" * 10**5])
def test_an_invalid_file_of_class_names_is_refused(folder: Path, content: str) -> None:
    (folder / INDEX_FILE).write_text(content)
    with pytest.raises(WeightsError, match="does not name ImageNet's classes"):
        imagenet_classes()
