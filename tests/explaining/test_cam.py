"""Class activation maps mark the square, for bundles of every kind."""

import subprocess
import sys

import keras
import numpy as np
import pytest

from tellapart.bundles.bundle import Bundle
from tellapart.errors import BundleError
from tellapart.explaining.cam import Cam, find_layout
from tellapart.explaining.centred_logits import centred_logits
from tellapart.models.classical.fit import fit_estimator
from tellapart.models.graphs.convert import to_graph
from tellapart.models.graphs.surgery import mirror_graph
from tellapart.models.resolved_recipe import resolve_estimator
from tellapart.recipe import Recipe

from .conftest import HEIGHT, WIDTH, BundleOf, Squares, squares


def test_the_network_classifies_the_colours(network: keras.Model, shown: Squares) -> None:
    assert (network.predict(shown.images, verbose=0).argmax(axis=1) == shown.labels).all()


def test_the_mean_over_the_cells_is_the_centred_logit_of_the_image(
    bundle: Bundle, network: keras.Model, shown: Squares
) -> None:
    cam, image = Cam(bundle), shown.images[0]
    maps = np.stack([cam(image, index) for index in range(3)], axis=-1)
    assert maps.shape == (HEIGHT // 4, WIDTH // 4, 3)
    expected = centred_logits(np.asarray(network(image[np.newaxis])))[0]  # for a linear head, the mean over the cells
    np.testing.assert_allclose(maps.mean(axis=(0, 1)), expected, rtol=1e-3, atol=1e-3)


def test_the_hottest_cell_is_in_the_corner_of_the_square(bundle: Bundle, shown: Squares) -> None:
    cam = Cam(bundle)
    assert shown.hit_rate([cam(image, label) for image, label in zip(shown.images, shown.labels, strict=True)]) >= 0.9


def test_a_mirrored_bundle_mirrors_the_second_map_back(
    network: keras.Model, bundle: Bundle, bundle_of: BundleOf, shown: Squares
) -> None:
    both = Cam(bundle_of(network, graph=mirror_graph(to_graph(network))))
    cam, image, label = Cam(bundle), shown.images[0], shown.labels[0]
    expected = (cam(image, label) + cam(np.ascontiguousarray(image[:, ::-1]), label)[:, ::-1]) / 2
    np.testing.assert_allclose(both(image, label), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("model", ["logistic", "knn", "forest"])
def test_an_estimator_scores_each_cell(model: str, network: keras.Model, bundle_of: BundleOf, shown: Squares) -> None:
    backbone = keras.Model(network.input, network.get_layer("features").output)
    known = squares(90, seed=5)
    recipe = resolve_estimator(Recipe(model=model, trees=20))
    estimator = fit_estimator(recipe, backbone.predict(known.images, verbose=0), known.labels, 3)
    cam = Cam(bundle_of(graph=to_graph(backbone), estimator=estimator, model=model))
    heats = [cam(image, label) for image, label in zip(shown.images, shown.labels, strict=True)]
    assert np.isfinite(heats).all()
    if model == "logistic":  # neighbours and trees are fitted on the means of images, which cells seldom resemble
        assert shown.hit_rate(heats) >= 0.8


def test_max_pooling_has_a_map_too(network: keras.Model, bundle_of: BundleOf, shown: Squares) -> None:
    images = keras.Input((HEIGHT, WIDTH, 3), dtype="uint8")
    maps = network.get_layer("backbone")(keras.layers.Rescaling(1 / 255)(images))
    answer = network.get_layer("logits")(keras.layers.GlobalMaxPooling2D()(maps))
    cam = Cam(bundle_of(keras.Model(images, keras.layers.Softmax()(answer))))
    assert shown.hit_rate([cam(image, label) for image, label in zip(shown.images, shown.labels, strict=True)]) >= 0.8


def flat_network(*layers: keras.layers.Layer) -> keras.Model:
    tensor = images = keras.Input((8, 8, 3), dtype="uint8")
    for layer in (keras.layers.Rescaling(1.0), *layers, keras.layers.Dense(3, activation="softmax")):
        tensor = layer(tensor)
    return keras.Model(images, tensor)


def test_without_pooling_or_with_a_single_cell_there_is_no_map(bundle_of: BundleOf) -> None:
    conv = keras.layers.Conv2D
    for layers in (
        [keras.layers.Flatten()],
        [conv(4, 3), keras.layers.Flatten()],
        [conv(4, 8), keras.layers.GlobalAveragePooling2D()],
    ):
        without = bundle_of(flat_network(*layers))
        assert find_layout(without.graph) is None
        with pytest.raises(BundleError, match="has no class activation map"):
            Cam(without)


def test_neither_keras_nor_scikit_learn_is_loaded() -> None:
    code = (
        "import sys, tellapart.explaining.explanation, tellapart.explaining.overlay, tellapart.explaining.methods;"
        "sys.exit(str({'tensorflow', 'keras', 'sklearn'} & set(sys.modules) or ''))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stderr.strip() == ""
