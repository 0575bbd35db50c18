"""The graph that predicts says what the Keras model says."""

from pathlib import Path

import keras
import numpy as np
import pytest

from tellapart.engine import Engine, read_graph, write_graph
from tellapart.models.graphs.convert import to_graph
from tellapart.models.graphs.surgery import join_head
from tellapart.models.networks import join_classifier, scratch_network
from tellapart.models.resolved_recipe import resolve_network
from tellapart.recipe import Recipe


@pytest.mark.parametrize("model", ["mlp", "cnn", "lenet5"])
@pytest.mark.parametrize("loss", ["categorical", "binary"])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_small_network_predicts_the_same_after_conversion_and_saving(
    tmp_path: Path, model: str, loss: str, channels: int
) -> None:
    recipe = resolve_network(Recipe.of({"model": model, "size": 16, "loss": loss, "dropout": 0.5}))
    product = join_classifier(None, scratch_network(recipe, channels, 2))
    write_graph(to_graph(product), tmp_path / "model.xml")
    graph = read_graph(tmp_path / "model.xml")
    images = np.random.default_rng(0).integers(0, 256, (5, 16, 16, channels), dtype=np.uint8)
    (found,) = Engine(graph, batch=8, precision="float32").run([images])
    np.testing.assert_allclose(found, product.predict_on_batch(images), atol=1e-5)


def test_the_graph_takes_uint8_and_a_dynamic_batch() -> None:
    graph = to_graph(join_classifier(None, scratch_network(resolve_network(Recipe(model="mlp", size=8)), 1, 3)))
    assert graph.input(0).element_type.to_string() == "u8"
    assert graph.input(0).partial_shape[0].is_dynamic
    assert [side.get_length() for side in list(graph.input(0).partial_shape)[1:]] == [8, 8, 1]
    assert graph.output(0).partial_shape[1].get_length() == 3


def test_networks_convert_where_openvino_cannot_look_up_the_version_of_tensorflow(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from openvino.frontend.tensorflow import utils

    def as_on_python_3_13(framework: str) -> dict[str, str]:
        raise NameError("name 'tensorflow' is not defined")

    monkeypatch.setattr(utils, "get_environment_setup", as_on_python_3_13)
    graph = to_graph(join_classifier(None, scratch_network(resolve_network(Recipe(model="mlp", size=8)), 1, 3)))
    assert graph.output(0).partial_shape[1].get_length() == 3


def test_joined_graphs_predict_as_one_after_the_other() -> None:
    images = keras.Input((6, 6, 3), dtype="uint8")
    flat = keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(images))
    base = to_graph(keras.Model(images, keras.layers.Dense(5, activation="relu")(flat)))
    features = keras.Input((5,))
    head = to_graph(keras.Model(features, keras.layers.Dense(3, activation="softmax")(features)))
    batch = np.random.default_rng(0).integers(0, 256, (4, 6, 6, 3), dtype=np.uint8)
    (between,) = Engine(base, batch=4, precision="float32").run([batch])
    (expected,) = Engine(head, batch=4, precision="float32").run([between])
    (found,) = Engine(join_head(base, head), batch=4, precision="float32").run([batch])
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert np.ptp(found[:, 0]) > 0.001
    (again,) = Engine(head, batch=4, precision="float32").run([between])
    np.testing.assert_array_equal(again, expected)  # joining has left both as they were
