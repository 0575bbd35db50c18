"""Backbones in two parts: together they compute the same, and only the requested layers are trained."""

import keras
import numpy as np
import pytest

from tellapart.errors import RecipeError
from tellapart.models.freezing import block_sizes, cut_points, leaf_layers, split_backbone, truncate_at
from tellapart.models.networks import load_backbone

SIDES = {"xception": 71, "vgg16": 32, "mobilenet": 32, "mobilenet-v3-small": 32, "efficientnet-v2-b0": 32}


@pytest.fixture(scope="module")
def residual() -> keras.Model:
    """Two blocks, each with a branch around it."""
    keras.utils.set_random_seed(0)
    images = keras.Input((8, 8, 3))
    x = keras.layers.Conv2D(4, 3, padding="same", name="stem")(images)
    for number in (1, 2):
        y = keras.layers.Conv2D(4, 3, padding="same", name=f"conv{number}")(x)
        y = keras.layers.BatchNormalization(name=f"norm{number}")(y)
        x = keras.layers.Add(name=f"join{number}")([x, y])
    x = keras.layers.Conv2D(5, 1, name="last")(x)
    return keras.Model(images, keras.layers.ReLU(name="end")(x), name="residual")


def test_a_cut_point_is_not_bypassed_by_any_branch(residual: keras.Model) -> None:
    assert [residual.operations[place].name for place in cut_points(residual)] == [
        "stem",
        "join1",
        "join2",
        "last",
        "end",
    ]


def test_blocks_begin_where_branches_join(residual: keras.Model) -> None:
    assert block_sizes(residual) == [2, 5]


@pytest.mark.parametrize(
    ("unfreeze", "seam", "trained"),
    [(2, "join2", {"last"}), (3, "join1", {"last"}), (5, "join1", {"last", "conv2"}), (6, "stem", {"last", "conv2"})],
)
def test_only_the_last_layers_are_trained_and_batch_normalisation_never(
    residual: keras.Model, unfreeze: int, seam: str, trained: set[str]
) -> None:
    division = split_backbone(residual, unfreeze)
    assert division.frozen is not None
    assert division.trained is not None
    assert division.frozen.layers[-1].name == seam
    learning = {layer.name for layer in leaf_layers(division.trained) if layer.trainable_weights}
    assert learning == trained


def test_with_every_layer_unfrozen_nothing_is_frozen(residual: keras.Model) -> None:
    division = split_backbone(residual, 1000)
    assert division.frozen is None
    assert division.trained is residual


@pytest.mark.parametrize("name", [pytest.param(name, marks=pytest.mark.long if "v2" in name else ()) for name in SIDES])
def test_the_two_parts_of_a_real_network_compute_the_same(name: str) -> None:
    keras.utils.set_random_seed(1)
    network = load_backbone(name, SIDES[name], "none")
    images = np.random.default_rng(0).normal(size=(2, SIDES[name], SIDES[name], 3)).astype(np.float32)
    expected = network(images, training=False)
    for count in block_sizes(network)[:3]:
        division = split_backbone(network, count)
        assert division.frozen is not None
        assert division.trained is not None
        maps = division.frozen(images, training=False)
        np.testing.assert_allclose(division.trained(maps, training=False), expected, atol=1e-5)
        assert division.trained.trainable_weights


def test_a_backbone_is_truncated_at_a_layer_by_name_or_by_count(residual: keras.Model) -> None:
    assert truncate_at(residual, None) is residual
    assert truncate_at(residual, "join1").output_shape == (None, 8, 8, 4)
    assert [layer.name for layer in truncate_at(residual, "-2").layers][-1] == "join2"


@pytest.mark.parametrize(
    ("cut", "said"),
    [
        ("joint1", "there is no layer 'joint1' to cut at: did you mean join1"),
        ("-99", "cut is -99; expected -1 to -"),
        ("3", "cut is 3; expected"),
    ],
)
def test_an_invalid_cut_is_refused(residual: keras.Model, cut: str, said: str) -> None:
    with pytest.raises(RecipeError, match=said):
        truncate_at(residual, cut)


def test_unfreezing_layers_without_weights_is_refused(residual: keras.Model) -> None:
    with pytest.raises(RecipeError, match="unfreeze is 1: the last 1 layers of residual have nothing to train"):
        split_backbone(residual, 1)
