"""Files that Keras 2 wrote answer the same in Keras 3; what is translated, and what is refused.

`keras2_models.zip` holds files that TensorFlow 2.12 and 2.15 wrote, and their answers to the images of `images`.
"""

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tellapart.errors import WeightsError, require
from tellapart.models.importing.archive import inspect_archive
from tellapart.models.importing.config_check import MAX_DEPTH, require_built_in
from tellapart.models.importing.keras2 import is_keras2, modernise
from tellapart.models.importing.keras_import import load_model
from tellapart.models.importing.keras_scaling import find_own_scaling

FILES = Path(__file__).parent / "keras2_models.zip"
SCALES = {"teachable": 1 / 127.5, "settings": 1 / 255, "grey": 1 / 255, "lstm": 1 / 255, "mixed": 1 / 255}
Config = dict[str, Any]
h5py = require("h5py", extra="train")  # it has no types


def images(shape: tuple[int, ...]) -> NDArray[np.float32]:
    return np.random.default_rng(1).integers(0, 256, (3, *shape), dtype=np.uint8).astype(np.float32)


def unpacked(name: str, folder: Path) -> Path:
    with zipfile.ZipFile(FILES) as archive:
        return Path(archive.extract(name, folder))


def stored() -> dict[str, list[list[float]]]:
    answers: dict[str, list[list[float]]] = json.loads(zipfile.ZipFile(FILES).read("answers.json"))
    return answers


@pytest.mark.parametrize("name", [name for name in stored() if "hard" not in name])
def test_a_file_of_keras_2_answers_as_it_did_there(name: str, tmp_path: Path) -> None:
    with inspect_archive(unpacked(name, tmp_path)) as copy:
        model = load_model(copy)
    pixels = images(model.inputs[0].shape[1:]) * np.float32(SCALES.get(name.split("-")[1].split(".")[0], 1))
    np.testing.assert_allclose(np.asarray(model(pixels, training=False)), stored()[name], atol=1e-5)


def test_arithmetic_on_the_input_becomes_layers_that_are_found(tmp_path: Path) -> None:
    for name, steps, reverses in (("212-preprocess_tf.h5", 2, False), ("215-preprocess_caffe.h5", 2, True)):
        with inspect_archive(unpacked(name, tmp_path)) as copy:
            own = find_own_scaling(load_model(copy))
        assert (len(own.steps), own.reverses, own.suiting) == (steps, reverses, ["inside"])


def test_a_formula_that_changed_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="hard_sigmoid"), inspect_archive(unpacked("215-hard.h5", tmp_path)):
        pytest.fail("it was handed on")


def test_weights_in_another_order_are_refused(tmp_path: Path) -> None:
    file = unpacked("212-preprocess_tf.h5", tmp_path)
    with h5py.File(file, "a") as opened:
        group = opened["model_weights/mobilenet_tiny"]
        names = [*group.attrs["weight_names"]]
        names[1:3] = names[2:0:-1]  # gamma and beta, of one shape
        group.attrs["weight_names"] = names
    with inspect_archive(file) as copy, pytest.raises(WeightsError, match="in another order"):
        load_model(copy)


def test_a_file_that_cannot_be_rebuilt_names_the_keras_that_wrote_it(tmp_path: Path) -> None:
    file = unpacked("212-grey.h5", tmp_path)
    with h5py.File(file, "a") as opened:
        opened.attrs["model_config"] = opened.attrs["model_config"].replace('"units": 5', '"units": 6')
    with inspect_archive(file) as copy, pytest.raises(WeightsError, match=r"that wrote it \(version 2\.12\.0\)"):
        load_model(copy)


def layer(kind: str, **config: object) -> Config:
    return {"class_name": kind, "config": {"name": "suspect", **config}, "name": "suspect", "inbound_nodes": []}


def model(*layers: Config, kind: str = "Sequential") -> Config:
    return {"class_name": kind, "config": {"name": "whole", "layers": list(layers)}}


def operation(function: str, node: list[object], kind: str = "TFOpLambda") -> Config:
    return {**layer(kind, function=function), "inbound_nodes": [node]}


def translated(described: Config) -> Config:
    (first,) = modernise(model(described, kind="Functional"), "2.9.0")["config"]["layers"]
    result: Config = first
    return result


@pytest.mark.parametrize(
    ("function", "node", "kind", "config"),
    [
        ("math.truediv", ["x", 0, 0, {"y": 2.0, "name": None}], "Rescaling", {"scale": 0.5, "offset": 0.0}),
        ("math.subtract", ["x", 0, 0, {"y": [1, 2, 3]}], "Rescaling", {"scale": 1.0, "offset": [-1.0, -2.0, -3.0]}),
        ("math.subtract", ["_CONSTANT_VALUE", -1, 1, {"y": ["x", 0, 0]}], "Rescaling", {"scale": -1.0, "offset": 1.0}),
        ("math.multiply", ["x", 0, 0, {"y": [[[[4.0]]]]}], "Rescaling", {"scale": 4.0, "offset": 0.0}),
        ("__operators__.add", ["x", 0, 0, {"y": ["z", 0, 0]}], "Add", {}),
        ("nn.relu6", ["x", 0, 0, {}], "Activation", {"activation": "relu6"}),
        ("cast", ["x", 0, 0, {"dtype": "float32"}], "Rescaling", {"scale": 1.0, "offset": 0.0}),
    ],
)
def test_operations_of_tensorflow_become_layers(function: str, node: list[object], kind: str, config: Config) -> None:
    found = translated(operation(function, node))
    assert (found["class_name"], found["config"]) == (kind, {"name": "suspect", **config})
    assert found["inbound_nodes"][0][0] == ["x", 0, 0, {}]


def test_nodes_of_tensorflow_2_3_become_layers() -> None:
    node = {"node_def": {"op": "RealDiv"}, "constants": {"1": 255.0}}
    described = {**layer("TensorFlowOpLayer", **node), "inbound_nodes": [[["x", 0, 0, {}]]]}
    assert translated(described)["config"]["scale"] == pytest.approx(1 / 255)


HOSTILE = [
    (operation("io.read_file", ["x", 0, 0, {}]), "read_file"),
    (operation("math.truediv", ["x", 0, 0, {"y": 0.0}]), "truediv"),
    (operation("math.add", ["x", 0, 0, {"y": {"class_name": "Lambda"}}]), "('add')"),
    (operation("__operators__.getitem", ["x", 0, 0, {"slice_spec": [1]}], "SlicingOpLambda"), "getitem"),
    (operation("math.add", [["x", 0, 0, {}]]), "math.add"),
    (layer("TensorFlowOpLayer", node_def="{", constants={}), "a node of a graph"),
    (layer("Lambda", function=["4wEAAAA=", None, None]), "Lambda"),
    (layer("Dense", **{"name": "../../etc"}), "a name like a path"),
    ({**layer("Dense"), "module": "keras.src.evil", "class_name": "Evil"}, "Evil"),
    ({**layer("Dense"), "module": "keras.layers", "registered_name": "Mine>Dense"}, "Mine>Dense"),
    ({**layer("Dense"), "inbound_nodes": [[3]]}, "joined to others"),
]


@pytest.mark.parametrize(("hostile", "said"), HOSTILE)
def test_what_is_not_known_is_refused_by_name(hostile: Config, said: str) -> None:
    with pytest.raises(WeightsError) as refusal:
        require_built_in(modernise(model(hostile, kind="Functional"), "2.9.0"))
    assert said in str(refusal.value)


def test_endless_nesting_is_refused() -> None:
    deep: object = 1
    for _ in range(MAX_DEPTH + 1):
        deep = [deep]
    for version in ("2.9.0", None):
        with pytest.raises(WeightsError, match="nested more than"):
            modernise(model(layer("Dense", anything=deep)), version)


def test_a_file_of_keras_3_is_left_alone() -> None:
    described = model(layer("DepthwiseConv2D", groups=1, name="a/b"))
    assert modernise(described, "3.4.1") is described
    assert [is_keras2(version, {}) for version in ("2.15.0", b"2.2.4-tf", "3.0.0", None)] == [True, True, False, False]


def test_the_first_layer_of_early_files_has_the_shape() -> None:
    inner = model(layer("Conv2D", batch_input_shape=[None, 8, 8, 3], groups=1))
    outer = modernise(model({**inner, "name": "inner"}, layer("Dense")), None)["config"]["layers"]
    assert outer[0]["config"]["batch_shape"] == outer[1]["config"]["layers"][0]["config"]["batch_shape"]
    assert outer[0]["config"]["batch_shape"] == [None, 8, 8, 3]
    assert "batch_input_shape" not in json.dumps(outer)
