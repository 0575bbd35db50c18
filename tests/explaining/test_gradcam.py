"""Grad-CAM, on networks nested in every way that a bundle has them."""

import threading

import keras
import numpy as np
import pytest

from tellapart.bundles.bundle import Bundle
from tellapart.errors import BundleError, WeightsError
from tellapart.explaining.cam import Cam
from tellapart.explaining.centred_logits import Heat
from tellapart.explaining.gradcam import GradCam, network_of
from tellapart.models.classical.fit import fit_estimator
from tellapart.models.graphs.from_keras import mirrored as mirrored_graph
from tellapart.models.graphs.from_keras import to_graph
from tellapart.models.networks import mirrored
from tellapart.models.resolved_recipe import resolve_estimator
from tellapart.recipe import Recipe

from .conftest import HEIGHT, WIDTH, BundleOf, Squares


def test_of_a_linear_head_it_is_what_the_class_activation_map_has_above_0(bundle: Bundle, shown: Squares) -> None:
    gradcam, cam = GradCam(bundle), Cam(bundle)
    for image, label in zip(shown.images[:4], shown.labels, strict=False):
        expected = np.maximum(cam(image, label), 0)
        found = gradcam(image, label) * expected.size  # the slopes are those of a mean over the cells
        np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-3 * expected.max())


def test_the_hottest_cell_is_in_the_corner_of_the_square(bundle: Bundle, shown: Squares) -> None:
    gradcam = GradCam(bundle)
    assert shown.found([gradcam(one, label) for one, label in zip(shown.images, shown.labels, strict=True)]) >= 0.9


def test_a_mirrored_bundle_gives_the_mean_of_both_maps(
    network: keras.Model, bundle: Bundle, bundle_of: BundleOf, shown: Squares
) -> None:
    both = bundle_of(mirrored(network), graph=mirrored_graph(to_graph(network)))
    found = [GradCam(both)(one, label) for one, label in zip(shown.images[:8], shown.labels, strict=False)]
    assert found[0].shape == (HEIGHT // 4, WIDTH // 4)
    assert Squares(shown.images[:8], shown.labels[:8], shown.centres[:8]).found(found) >= 0.8
    cam = Cam(both)(shown.images[0], shown.labels[0])
    assert np.corrcoef(cam.ravel(), found[0].ravel())[0, 1] > 0.8


def test_a_base_in_a_model_in_a_model_and_one_that_ends_in_flattening(
    network: keras.Model, bundle_of: BundleOf
) -> None:
    images = keras.Input((HEIGHT, WIDTH, 3), dtype="uint8")
    inner = keras.Sequential([keras.Input((HEIGHT, WIDTH, 3)), network.get_layer("base"), keras.layers.MaxPooling2D()])
    flat = keras.layers.Flatten()(inner(keras.layers.Rescaling(1 / 255)(images)))
    answer = keras.layers.Dense(3, activation="softmax")(flat)
    found = GradCam(bundle_of(keras.Model(images, answer)))(np.zeros((HEIGHT, WIDTH, 3), np.uint8), 0)
    assert found.shape == (HEIGHT // 4, WIDTH // 4)  # of conv3, before the pooling


def test_a_network_that_is_sure_has_a_map_still(network: keras.Model, bundle_of: BundleOf, shown: Squares) -> None:
    sure = keras.models.clone_model(network)
    sure.set_weights(network.get_weights())
    logits = sure.get_layer("logits")
    logits.kernel.assign(3 * logits.kernel)
    image, label = shown.images[0], shown.labels[0]
    assert sure.predict(shown.images, verbose=0).max() == 1
    assert GradCam(bundle_of(sure))(image, label).max() > 0


def mlp_network() -> keras.Model:
    images = keras.Input((8, 8, 3), dtype="uint8")
    flat = keras.layers.Flatten()(keras.layers.Rescaling(1.0)(images))
    return keras.Model(images, keras.layers.Dense(3, activation="softmax")(flat))


def test_what_has_no_convolutions_or_no_network_is_refused(network: keras.Model, bundle_of: BundleOf) -> None:
    mlp = bundle_of(mlp_network())
    with pytest.raises(BundleError, match="no feature map for Grad-CAM"):
        GradCam(mlp)
    base = keras.Model(network.input, network.get_layer("features").output)
    vectors = np.random.default_rng(0).random((9, 24), np.float32)
    knn = fit_estimator(
        resolve_estimator(Recipe(model="knn", neighbours=1)), vectors, np.arange(9, dtype=np.int32) % 3, 3
    )
    with pytest.raises(BundleError, match="a knn has no gradients"):
        network_of(bundle_of(graph=to_graph(base), estimator=knn, model="knn"))


def test_a_model_that_holds_code_is_not_loaded(bundle_of: BundleOf) -> None:
    evil = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Lambda(lambda x: x), keras.layers.Flatten()])
    with pytest.raises(WeightsError, match="Lambda"):
        GradCam(bundle_of(evil, graph=to_graph(mlp_network())))


def test_threads_wait_for_each_other(bundle: Bundle, shown: Squares) -> None:
    gradcam = GradCam(bundle)
    expected = [gradcam(one, 0) for one in shown.images]
    found: list[Heat] = [np.empty((0, 0), np.float32)] * len(expected)

    def work(start: int) -> None:
        for place in range(start, len(expected), 4):
            found[place] = gradcam(shown.images[place], 0)

    threads = [threading.Thread(target=work, args=(start,)) for start in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for one, other in zip(found, expected, strict=True):
        assert one.shape == other.shape
        assert np.abs(one - other).max() <= 1e-5 * other.max()
