"""A model made elsewhere becomes a bundle, checked, or nothing is left behind."""

import gzip
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import keras
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from tellapart.bundles.compile import compile_bundle
from tellapart.bundles.evaluate import evaluate
from tellapart.bundles.predictor import Prediction, Predictor
from tellapart.data.dataset import Dataset
from tellapart.data.preprocessing import Preprocessing
from tellapart.engine import Graph
from tellapart.errors import BundleError, DatasetError, RecipeError, StorageError, WeightsError
from tellapart.judging.calibration import apply_temperature
from tellapart.models.graphs.convert import to_graph
from tellapart.training.import_model import checked_precision, class_names, import_model, made_up, scaling_of
from tellapart.training.run import Run

layers = keras.layers


def mnist_test_images() -> NDArray[np.uint8]:
    """The 10,000 test images of MNIST, uint8 (n, 28, 28), or a skip that says why."""
    file = Path(os.environ.get("TELLAPART_DATA", "no such folder")) / "mnist" / "t10k-images-idx3-ubyte.gz"
    if not file.is_file():
        pytest.skip("MNIST is absent: set TELLAPART_DATA to the folder that has mnist/")
    return np.frombuffer(gzip.decompress(file.read_bytes()), np.uint8, offset=16).reshape(-1, 28, 28)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that was not trained but made to tell red, green and blue apart, in the order of its outputs."""
    network = keras.Sequential([keras.Input((20, 20, 3)), layers.GlobalAveragePooling2D(), layers.Dense(3)])
    network.layers[-1].set_weights([40 * np.eye(3, dtype=np.float32), np.zeros(3, np.float32)])
    path = tmp_path_factory.mktemp("theirs") / "colours.keras"
    network.save(path)
    return path


@pytest.fixture
def names(tmp_path: Path) -> Path:
    path = tmp_path / "names.txt"
    path.write_text("red\ngreen\nblue\n")
    return path


def test_the_bundle_predicts_and_is_judged_like_any_other(file: Path, names: Path, tiny: Path, tmp_path: Path) -> None:
    bundle = import_model(file, classes=names, preprocess="unit", out=tmp_path / "theirs")
    bundle.verify()
    assert (bundle.name, bundle.classes) == ("colours", ("red", "green", "blue"))
    assert (dict(bundle.metrics), dict(bundle.seen)) == ({}, {})
    assert bundle.preprocessing == Preprocessing(20, 20, 3, "stretch", "keras-bilinear")
    image = tiny / "green" / "00.png"
    (prediction,) = Predictor(bundle).predict([image])
    assert isinstance(prediction, Prediction)
    assert prediction.label == "green"
    pixels = np.asarray(Image.open(image))[np.newaxis]
    kept = keras.saving.load_model(bundle.folder / "model.keras")
    assert kept(pixels).numpy()[0].max() == pytest.approx(prediction.probability, abs=0.02)
    assert evaluate(bundle, Dataset.open(tiny), precision="float32").accuracy.value == 1.0


def test_a_model_trained_here_predicts_the_same_once_adopted(trained: Run, tiny: Path, tmp_path: Path) -> None:
    own = trained.bundle
    (tmp_path / "names.txt").write_text("\n".join(own.classes))
    file = own.folder / "model.keras"
    again = import_model(file, classes=tmp_path / "names.txt", preprocess="none", out=tmp_path / "again")
    images = sorted(tiny.rglob("*.png"))
    pairs = zip(
        Predictor(own, precision="float32").predict(images),
        Predictor(again, precision="float32").predict(images),
        strict=True,
    )
    for mine, theirs in pairs:
        assert isinstance(mine, Prediction)
        assert isinstance(theirs, Prediction)
        assert theirs.label == mine.label
        # model.keras has no temperature: that is in the graph of the bundle it came from alone
        found, expected = ({one.label: one.probability for one in answer.top} for answer in (theirs, mine))
        uncalibrated = np.array([[found[name] for name in own.classes]])
        assert own.manifest.calibration
        calibrated = apply_temperature(uncalibrated, own.manifest.calibration["temperature"])
        np.testing.assert_allclose(calibrated[0], [expected[name] for name in own.classes], atol=1e-5)


def test_a_layer_that_the_engine_lacks_is_a_sentence(
    file: Path, names: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(_: keras.Model) -> NoReturn:
        raise RuntimeError("No conversion rule\nfor SomeOp")

    monkeypatch.setattr("tellapart.models.graphs.convert.to_graph", fails)
    with pytest.raises(WeightsError, match=r"colours\.keras is not imported: OpenVINO.*: No conversion rule$"):
        import_model(file, classes=names, preprocess="unit", out=tmp_path / "theirs")


def test_names_in_another_order_show_in_the_judgement(file: Path, names: Path, tiny: Path, tmp_path: Path) -> None:
    names.write_text("green\nred\nblue")
    bundle = import_model(file, classes=names, preprocess="unit", out=tmp_path / "theirs")
    assert evaluate(bundle, Dataset.open(tiny)).accuracy.value < 0.5


def test_what_may_be_chosen_is_kept(names: Path, tmp_path: Path) -> None:
    network = keras.Sequential([keras.Input((None, None, 3)), layers.GlobalAveragePooling2D(), layers.Dense(3)])
    network.save(tmp_path / "any.h5")
    out = tmp_path / "deep" / "theirs"
    bundle = import_model(
        tmp_path / "any.h5",
        classes=names,
        preprocess="vgg16",
        out=out,
        size=12,
        fit="pad",
        resize="keras-nearest",
        name="mine",
    )
    assert (bundle.name, bundle.preprocessing) == ("mine", Preprocessing(12, 12, 3, "pad", "keras-nearest"))
    assert bundle.manifest.recipe["preprocess"] == "vgg16"
    assert bundle.manifest.recipe["adopted"] == "any.h5"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "line 1 of .* holds no class name"),
        ("one\n", "names 1 classes"),
        ("a\n\nb\n", "line 2 of .* holds no class name"),
        ("a\nb\na\n", "names 'a' on lines 1 and 3"),
        ("a\nb \x1b[2J\n", "line 2 of .* holds no class name"),
    ],
)
def test_class_names_that_are_none_are_refused(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "names.txt").write_text(text)
    with pytest.raises(DatasetError, match=said):
        class_names(tmp_path / "names.txt")


def test_class_names_come_line_by_line_from_any_editor(tmp_path: Path) -> None:
    (tmp_path / "names.txt").write_bytes("\ufeffT-Shirt\r\n  Gürtel \r\n帽子\r\n\r\n".encode())
    assert class_names(tmp_path / "names.txt") == ("T-Shirt", "Gürtel", "帽子")


def test_numbers_before_class_names_are_removed_where_they_are_the_outputs(tmp_path: Path) -> None:
    for text, names in (("0 Class 1\n1 Class 2\n", ("Class 1", "Class 2")), ("1 up\n2 up\n", ("1 up", "2 up"))):
        (tmp_path / "labels.txt").write_text(text)
        assert class_names(tmp_path / "labels.txt") == names


def test_a_model_that_scales_its_input_is_not_scaled_again(
    names: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    body = [layers.Rescaling(1 / 255, name="own"), layers.GlobalAveragePooling2D(), layers.Dense(3)]
    keras.Sequential([keras.Input((20, 20, 3)), *body]).save(tmp_path / "own.keras")
    with pytest.raises(RecipeError, match="Use --preprocess none"):
        import_model(tmp_path / "own.keras", classes=names, preprocess="unit", out=tmp_path / "theirs")
    assert not (tmp_path / "theirs").exists()
    import_model(tmp_path / "own.keras", classes=names, preprocess="none", out=tmp_path / "theirs")
    said = capsys.readouterr().err
    assert "scales its input itself (layer own: x 0.00392)" in said
    assert "stretched to 20 x 20 by keras-bilinear, as Keras's image_dataset_from_directory does" in said


def test_the_first_network_of_every_tutorial_answers_as_in_keras(tmp_path: Path) -> None:
    images = mnist_test_images()
    (tmp_path / "names.txt").write_text("\n".join("0123456789"))
    body = [layers.Flatten(), layers.Dense(16, activation="relu"), layers.Dense(10)]
    network = keras.Sequential([keras.Input((28, 28)), *body])
    network.save(tmp_path / "tutorial.h5")
    bundle = import_model(
        tmp_path / "tutorial.h5", classes=tmp_path / "names.txt", preprocess="unit", out=tmp_path / "theirs"
    )
    expected = np.asarray(keras.ops.softmax(network(images / np.float32(255))))
    runner = compile_bundle(bundle, batch=100, precision="float32")
    probs = np.concatenate([*runner.run(images[i : i + 100, :, :, np.newaxis] for i in range(0, len(images), 100))])
    np.testing.assert_allclose(probs, expected, atol=1e-5)


def test_a_file_of_class_names_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / "odd.txt").write_bytes(b"\xff\xfe\x00caf\xe9")
    for path, said in (
        (tmp_path, "it is a folder, a pipe or a device"),
        (tmp_path / "gone", "No such file"),
        (tmp_path / "odd.txt", "UTF"),
    ):
        with pytest.raises(DatasetError, match=said):
            class_names(path)


def test_preprocess_is_a_name_of_the_catalogue_or_of_a_scaling() -> None:
    assert [scaling_of(one) for one in ("xception", "resnet50", "lenet5", "torch", "none", "inside")] == [
        "tf", "caffe", "unit", "torch", "inside", "inside",
    ]  # fmt: skip
    with pytest.raises(RecipeError, match="did you mean xception"):
        scaling_of("xceptoin")


def test_a_folder_in_use_is_refused_before_anything_is_loaded(
    file: Path, names: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tellapart.training.import_model.inspect_archive", lambda _: pytest.fail("the file was opened"))
    for used in (names, names.parent):
        with pytest.raises(StorageError, match="is there already"):
            import_model(file, classes=names, preprocess="unit", out=used)


def test_nothing_is_left_where_the_model_is_refused(file: Path, names: Path, tmp_path: Path) -> None:
    names.write_text("a\nb\n")
    with pytest.raises(RecipeError, match="2 class names and 3 outputs"):
        import_model(file, classes=names, preprocess="unit", out=tmp_path / "theirs")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["names.txt"]


Made = Callable[[keras.Layer], tuple[keras.Model, Graph]]


@pytest.fixture
def made() -> Made:
    def make(*body: keras.Layer) -> tuple[keras.Model, Graph]:
        x = inputs = keras.Input((8, 8, 3), dtype="uint8")
        x = layers.Flatten()(layers.Rescaling(1 / 255)(x))
        for layer in body:
            x = layer(x)
        network = keras.Model(inputs, x)
        return network, to_graph(network)

    return make


SQUARE = Preprocessing(8, 8, 3)


def test_a_graph_that_says_something_else_is_refused(made: Made) -> None:
    network, _ = made(layers.Dense(3, activation="softmax"))
    _, other = made(layers.Dense(3, activation="softmax"))
    with pytest.raises(BundleError, match="disagrees with Keras"):
        checked_precision(network, other, SQUARE)


def test_numbers_that_are_no_probabilities_are_refused(made: Made) -> None:
    for layer in (
        layers.Dense(3),
        layers.Dense(3, activation="softmax", kernel_initializer=keras.initializers.Constant(np.nan)),
    ):
        with pytest.raises(WeightsError, match="not probabilities"):
            checked_precision(*made(layer), SQUARE)


def test_fast_arithmetic_that_changes_answers_is_given_up(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    network, graph = made(layers.Dense(3, activation="softmax"))
    assert checked_precision(network, graph, SQUARE) == "auto"
    monkeypatch.setattr("tellapart.training.import_model.resolve_precision", lambda _: "bfloat16")
    monkeypatch.setattr(
        "tellapart.training.import_model._difference", lambda _, precision, *__: 0.1 if precision == "bfloat16" else 0.0
    )
    assert checked_precision(network, graph, SQUARE) == "float32"


def test_the_images_it_is_checked_on_differ_and_repeat() -> None:
    for channels in (1, 3):
        images = made_up(Preprocessing(6, 9, channels))
        assert images.shape == (16, 6, 9, channels)
        assert images.dtype == np.uint8
        assert images.mean(axis=(1, 2, 3)).std() > 3
        np.testing.assert_array_equal(images, made_up(Preprocessing(6, 9, channels)))


def test_what_was_adopted_is_written_down(file: Path, names: Path, tmp_path: Path) -> None:
    out = import_model(file, classes=names, preprocess="unit", out=tmp_path / "theirs").folder
    stored = json.loads((out / "bundle.json").read_text())
    assert (stored["fingerprint"], stored["licence"], stored["metrics"]) == ("", None, {})
    assert json.loads((out / "splits.json").read_text()) == {"train": [], "validation": []}
