"""A graph cut at its features says, one part after the other, what it says as a whole."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
from numpy.typing import NDArray

from tellapart.engine import Graph, core
from tellapart.models.graphs.convert import to_graph
from tellapart.models.graphs.estimator_graphs import linear_graph, pixel_graph, voting_graph
from tellapart.models.graphs.surgery import (
    Output,
    find_feature_map,
    find_features,
    find_spatial_axes,
    graph_beyond,
    graph_up_to,
    join_head,
    mirror_graph,
    rows_per_image,
)
from tellapart.models.networks import backbone_network, head_network, join_classifier, scratch_network
from tellapart.models.resolved_recipe import resolve_network
from tellapart.recipe import Recipe

SIZE = 32
HINTS = {"INFERENCE_PRECISION_HINT": "f32"}
WITHOUT_POOLING = {"mlp": 512, "cnn": 128, "lenet5": 84}
WITH_POOLING = {"mobilenet-v2": 1280, "mobilenet-v3-small": 576}
BASE_SIZE = 64  # feature maps of 2 x 2


def answers(graph: Graph, inputs: NDArray[Any]) -> NDArray[Any]:
    result: NDArray[Any] = core().compile_model(graph, "CPU", HINTS)(inputs)[0]
    return result


def images(size: int = SIZE, channels: int = 3) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (3, size, size, channels), dtype=np.uint8)


def small(model: str) -> Graph:
    return to_graph(
        join_classifier(None, scratch_network(resolve_network(Recipe(model=model, size=SIZE, units=512)), 3, 4))
    )


@pytest.fixture(scope="module", params=[*WITH_POOLING])
def backbone(request: pytest.FixtureRequest, awaken: Callable[[keras.Model], None]) -> tuple[str, Graph]:
    keras.utils.set_random_seed(1)
    network = backbone_network(request.param, BASE_SIZE, "none")
    awaken(network)
    return request.param, to_graph(network)


def on_top(width: int, settings: dict[str, Any]) -> Graph:
    recipe = resolve_network(Recipe.of({"model": "xception", "dropout": 0.5, **settings}))
    return to_graph(join_classifier(None, head_network(width, recipe, 2 if "loss" in settings else 4)))


def require_whole(graph: Graph, at: Output, batch: NDArray[Any]) -> None:
    expected = answers(graph, batch)
    assert np.ptp(expected[:, 0]) > 1e-4  # it depends on the image
    between = answers(graph_up_to(graph, at), batch)
    assert between.dtype == np.float32
    assert len(between) == rows_per_image(graph) * len(batch)
    np.testing.assert_allclose(answers(graph_beyond(graph, at), between), expected, atol=1e-6)
    np.testing.assert_array_equal(answers(graph, batch), expected)  # it was left as it was


@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("model", [*WITHOUT_POOLING])
def test_a_flattening_network_has_features_but_no_feature_map(model: str, flip: bool) -> None:
    graph = mirror_graph(small(model)) if flip else small(model)
    assert find_feature_map(graph) is None
    assert find_spatial_axes(graph) is None
    assert rows_per_image(graph) == (2 if flip else 1)
    assert find_features(graph).partial_shape[1].get_length() == WITHOUT_POOLING[model]
    require_whole(graph, find_features(graph), images())


@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("settings", [{}, {"inner": 6}, {"loss": "binary"}])
def test_a_pooled_backbone_under_a_head_is_cut_at_both(
    backbone: tuple[str, Graph], settings: dict[str, Any], flip: bool
) -> None:
    name, bottom = backbone
    width = WITH_POOLING[name]
    graph = join_head(bottom, on_top(width, settings))
    graph = mirror_graph(graph) if flip else graph
    found = find_feature_map(graph)
    assert found is not None
    assert find_spatial_axes(graph) == (2, 3)
    assert [length.get_length() for length in list(found.partial_shape)[1:]] == [width, 2, 2]
    assert find_features(graph).partial_shape[1].get_length() == width
    require_whole(graph, found, images(BASE_SIZE))
    require_whole(graph, find_features(graph), images(BASE_SIZE))


def test_the_features_are_the_means_of_the_feature_map(backbone: tuple[str, Graph]) -> None:
    batch = images(BASE_SIZE)
    maps = answers(graph_up_to(backbone[1], find_feature_map(backbone[1])), batch)
    expected = maps.mean(axis=find_spatial_axes(backbone[1]))
    np.testing.assert_allclose(
        answers(graph_up_to(backbone[1], find_features(backbone[1])), batch), expected, atol=1e-6
    )
    np.testing.assert_allclose(answers(backbone[1], batch), expected, atol=1e-6)  # a backbone ends in its features


def test_the_first_half_of_the_rows_are_of_the_images_themselves() -> None:
    graph, batch = small("lenet5"), images()
    both = mirror_graph(graph)
    rows = answers(graph_up_to(both, find_features(both)), batch)
    np.testing.assert_allclose(rows[:3], answers(graph_up_to(graph, find_features(graph)), batch), atol=1e-5)
    np.testing.assert_allclose(
        rows[3:], answers(graph_up_to(graph, find_features(graph)), batch[:, :, ::-1]), atol=1e-5
    )


def test_a_pooling_that_can_be_bypassed_is_ignored() -> None:
    """Squeeze-and-excitation under a flattening end: maps are multiplied by their own means."""
    inputs = keras.Input((8, 8, 3), dtype="uint8")
    maps = keras.layers.Conv2D(5, 3)(keras.layers.Rescaling(1 / 255)(inputs))
    maps = maps * keras.layers.GlobalAveragePooling2D(keepdims=True)(maps)
    output = keras.layers.Dense(2, activation="softmax")(keras.layers.Flatten()(maps))
    graph = to_graph(keras.Model(inputs, output))
    assert find_feature_map(graph) is None
    assert find_features(graph).partial_shape[1].get_length() == 6 * 6 * 5
    (squeeze,) = (node for node in graph.get_ops() if node.get_type_name() == "ReduceMean")
    with pytest.raises(ValueError, match="alone does not determine"):
        graph_beyond(graph, squeeze.output(0))


def test_the_features_of_an_imported_classifier_that_pools_last_are_the_pooled_ones() -> None:
    inputs = keras.Input((8, 8, 1), dtype="uint8")
    maps = keras.layers.Conv2D(2, 3)(keras.layers.Rescaling(1 / 255)(inputs))
    pooled = keras.layers.GlobalMaxPooling2D()(maps)
    graph = to_graph(keras.Model(inputs, keras.layers.Softmax()(pooled)))
    found = find_feature_map(graph)
    assert found is not None
    assert [length.get_length() for length in list(found.partial_shape)[1:]] == [2, 6, 6]
    require_whole(graph, find_features(graph), images(8, 1))


def test_the_features_of_an_estimator_of_pixels_are_the_pixels() -> None:
    graph, batch = pixel_graph(4, 4, 1), images(4, 1)
    assert find_feature_map(graph) is None
    np.testing.assert_array_equal(answers(graph_up_to(graph, find_features(graph)), batch), batch.reshape(3, 16))
    require_whole(graph, find_features(graph), batch)


@pytest.mark.parametrize("kind", ["voting", "linear"])
def test_the_features_of_a_graph_of_vectors_are_the_vectors(kind: str) -> None:
    rng = np.random.default_rng(0)
    vectors = rng.normal(5, 1, (20, 6)).astype(np.float32)
    labels = np.arange(20, dtype=np.int32) % 3
    if kind == "voting":
        graph = voting_graph(vectors, labels, 3, neighbours=4)
    else:
        slopes = rng.normal(0, 1, (3, 6)).astype(np.float32)
        graph = linear_graph(vectors.mean(axis=0), vectors.std(axis=0), slopes, np.zeros(3, np.float32))
    np.testing.assert_array_equal(answers(graph_up_to(graph, find_features(graph)), vectors), vectors)
    require_whole(graph, find_features(graph), vectors + 0.5)
