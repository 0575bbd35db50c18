"""Grad-CAM on the Keras model of a bundle, however its layers are nested. Needs tellapart[train]."""

import threading
from typing import TYPE_CHECKING, Any

import numpy as np

from tellapart.backend import load_keras
from tellapart.bundles.bundle import KERAS, Bundle
from tellapart.data.image import ImageArray
from tellapart.errors import BundleError, require
from tellapart.explaining.centred_logits import SMALLEST, Heat
from tellapart.models.importing.archive import inspect_archive

if TYPE_CHECKING:
    import keras

Tensor = Any
"""A tensor of TensorFlow or a layer of Keras: neither has types."""
Layer = Any
POOLINGS = ("MaxPooling2D", "AveragePooling2D")


def network_of(bundle: Bundle) -> "keras.Model":
    """The Keras model of a bundle, inspected first. Raises BundleError, WeightsError, MissingPackageError."""
    if KERAS not in bundle.hashes:
        raise BundleError(
            f"{bundle.folder} holds no network: a {bundle.facts.recipe.get('model')} has no gradients and no layers. "
            f"Use the method cam or occlusion"
        )
    load_keras()
    from tellapart.models.importing.keras_import import loaded

    with inspect_archive(bundle.folder / KERAS) as copy:
        return loaded(copy)


class GradCam:
    """Maps of a network by its gradients. Lives as long as images come; several threads wait for each other.

    The last feature map's channels, each weighted by how the class's evidence grows with it, summed, and only what
    speaks for the class kept. Source: Selvaraju et al., Grad-CAM (2017), section 3.
    """

    def __init__(self, bundle: Bundle) -> None:
        """Load the model and find its last feature map. Raises BundleError where it has none, and as `network_of`."""
        self._network = network_of(bundle)
        self._layer = _last_map(self._network, bundle)
        self._one_at_a_time = threading.Lock()

    def __call__(self, image: ImageArray, index: int) -> Heat:
        """How much each cell speaks for a class, by its index: float32 (rows, columns), 0 or more."""
        with self._one_at_a_time:
            maps, slopes = self._gradients(image, index)
        heats = [_weighted(one, slope) for one, slope in zip(maps, slopes, strict=True)]
        if len(heats) == 2:  # a mirrored classifier calls its network again, on the mirror image
            heats[1] = heats[1][:, ::-1]
        heat: Heat = np.maximum(np.mean(heats, axis=0), 0).astype(np.float32)
        return heat

    def _gradients(self, image: ImageArray, index: int) -> tuple[list[Heat], list[Heat]]:
        """The last feature map, once for each time its layer is called, and the evidence's gradient by it."""
        tf = require("tensorflow", extra="train")
        from tellapart.explaining.layer_hooks import record_layers

        maps: list[Tensor] = []

        def note(layer: Layer, output: Tensor) -> None:
            if layer is self._layer:
                tape.watch(output)
                maps.append(output)

        with tf.GradientTape(watch_accessed_variables=False) as tape, record_layers(self._network, note):
            logs = tf.math.log(tf.maximum(self._network(image[np.newaxis], training=False), SMALLEST))
            score = logs[0, index] - tf.reduce_mean(logs[0])
        slopes = tape.gradient(score, maps, unconnected_gradients="zero")
        return [one.numpy()[0] for one in maps], [one.numpy()[0] for one in slopes]


def _last_map(network: "keras.Model", bundle: Bundle) -> Layer:
    """The layer before pooling or flattening that gives the last feature map."""
    from tellapart.explaining.layer_hooks import map_shapes

    shape = bundle.preprocessing
    black = np.zeros((1, shape.height, shape.width, shape.channels), np.uint8)
    found = [layer for layer, _ in map_shapes(network, black) if type(layer).__name__ not in POOLINGS]
    if not found or type(found[-1]).__name__ in ("InputLayer", "Rescaling"):
        raise BundleError(
            f"{bundle.folder} has no feature map for Grad-CAM: its network has no convolutions. Use the method "
            f"occlusion, which works on any"
        )
    return found[-1]


def _weighted(maps: Heat, slopes: Heat) -> Heat:
    """Channels (rows, columns, channels) summed, each times the mean of its slopes: (rows, columns)."""
    heat: Heat = maps @ slopes.mean(axis=(0, 1))
    return heat
