"""Grad-CAM on networks with the nestings that occur in bundles."""

import threading

import keras
import numpy as np
import pytest

from tellapart.bundles.bundle import Bundle
from tellapart.bundles.keras_network import load_network
from tellapart.errors import BundleError, WeightsError
from tellapart.explaining.cam import Cam
from tellapart.explaining.centred_logits import Heat
from tellapart.explaining.gradcam import GradCam
from tellapart.models.classical.fit import fit_estimator
from tellapart.models.graphs.convert import to_graph
from tellapart.models.graphs.surgery import mirror_graph
from tellapart.models.networks import mirror_network
from tellapart.models.resolved_recipe import resolve_estimator
from tellapart.recipe import Recipe

from .conftest import HEIGHT, WIDTH, BundleOf, Squares


def test_for_a_linear_head_it_is_the_positive_part_of_the_class_activation_map(bundle: Bundle, shown: Squares) -> None:
    gradcam, cam = GradCam(bundle), Cam(bundle)
    for image, label in zip(shown.images[:4], shown.labels, strict=False):
        expected = np.maximum(cam(image, label), 0)
        heat = gradcam(image, label) * expected.size  # the gradients are those of a mean over the cells
        np.testing.assert_allclose(heat, expected, rtol=1e-3, atol=1e-3 * expected.max())


def test_the_hottest_cell_is_in_the_corner_of_the_square(bundle: Bundle, shown: Squares) -> None:
    gradcam = GradCam(bundle)
    assert (
        shown.hit_rate([gradcam(image, label) for image, label in zip(shown.images, shown.labels, strict=True)]) >= 0.9
    )


def test_a_mirrored_bundle_gives_the_mean_of_both_maps(
    network: keras.Model, bundle: Bundle, bundle_of: BundleOf, shown: Squares
) -> None:
    both = bundle_of(mirror_network(network), graph=mirror_graph(to_graph(network)))
    heats = [GradCam(both)(image, label) for image, label in zip(shown.images[:8], shown.labels, strict=False)]
    assert heats[0].shape == (HEIGHT // 4, WIDTH // 4)
    assert Squares(shown.images[:8], shown.labels[:8], shown.centres[:8]).hit_rate(heats) >= 0.8
    cam = Cam(both)(shown.images[0], shown.labels[0])
    assert np.corrcoef(cam.ravel(), heats[0].ravel())[0, 1] > 0.8


def test_a_doubly_nested_backbone_and_flattening_are_supported(network: keras.Model, bundle_of: BundleOf) -> None:
    images = keras.Input((HEIGHT, WIDTH, 3), dtype="uint8")
    inner = keras.Sequential(
        [keras.Input((HEIGHT, WIDTH, 3)), network.get_layer("backbone"), keras.layers.MaxPooling2D()]
    )
    flat = keras.layers.Flatten()(inner(keras.layers.Rescaling(1 / 255)(images)))
    answer = keras.layers.Dense(3, activation="softmax")(flat)
    heat = GradCam(bundle_of(keras.Model(images, answer)))(np.zeros((HEIGHT, WIDTH, 3), np.uint8), 0)
    assert heat.shape == (HEIGHT // 4, WIDTH // 4)  # of conv3, before the pooling


def test_a_saturated_network_still_has_a_map(network: keras.Model, bundle_of: BundleOf, shown: Squares) -> None:
    saturated = keras.models.clone_model(network)
    saturated.set_weights(network.get_weights())
    logits = saturated.get_layer("logits")
    logits.kernel.assign(3 * logits.kernel)
    image, label = shown.images[0], shown.labels[0]
    assert saturated.predict(shown.images, verbose=0).max() == 1
    assert GradCam(bundle_of(saturated))(image, label).max() > 0


def mlp_network() -> keras.Model:
    images = keras.Input((8, 8, 3), dtype="uint8")
    flat = keras.layers.Flatten()(keras.layers.Rescaling(1.0)(images))
    return keras.Model(images, keras.layers.Dense(3, activation="softmax")(flat))


def test_without_convolutions_or_a_network_it_is_refused(network: keras.Model, bundle_of: BundleOf) -> None:
    mlp = bundle_of(mlp_network())
    with pytest.raises(BundleError, match="no feature map for Grad-CAM"):
        GradCam(mlp)
    backbone = keras.Model(network.input, network.get_layer("features").output)
    vectors = np.random.default_rng(0).random((9, 24), np.float32)
    knn = fit_estimator(
        resolve_estimator(Recipe(model="knn", neighbours=1)), vectors, np.arange(9, dtype=np.int32) % 3, 3
    )
    with pytest.raises(BundleError, match="a knn has no gradients"):
        load_network(bundle_of(graph=to_graph(backbone), estimator=knn, model="knn"))


def test_a_model_that_contains_code_is_not_loaded(bundle_of: BundleOf) -> None:
    evil = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Lambda(lambda x: x), keras.layers.Flatten()])
    with pytest.raises(WeightsError, match="Lambda"):
        GradCam(bundle_of(evil, graph=to_graph(mlp_network())))


def test_threads_wait_for_each_other(bundle: Bundle, shown: Squares) -> None:
    gradcam = GradCam(bundle)
    expected = [gradcam(image, 0) for image in shown.images]
    heats: list[Heat] = [np.empty((0, 0), np.float32)] * len(expected)

    def work(start: int) -> None:
        for index in range(start, len(expected), 4):
            heats[index] = gradcam(shown.images[index], 0)

    threads = [threading.Thread(target=work, args=(start,)) for start in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for heat, other in zip(heats, expected, strict=True):
        assert heat.shape == other.shape
        assert np.abs(heat - other).max() <= 1e-5 * other.max()
