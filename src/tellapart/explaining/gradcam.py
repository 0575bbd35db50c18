"""Grad-CAM on the Keras model of a bundle, with any nesting of models. Needs tellapart[train]."""

import threading
from typing import TYPE_CHECKING, Any

import numpy as np

from tellapart.bundles.bundle import Bundle
from tellapart.bundles.keras_network import load_network
from tellapart.data.decoding.conversion import ImageArray
from tellapart.errors import BundleError, require
from tellapart.explaining.centred_logits import MIN_PROB, Heat

if TYPE_CHECKING:
    import keras

Tensor = Any
"""A TensorFlow tensor; neither TensorFlow nor Keras has types."""
Layer = Any
POOLINGS = ("MaxPooling2D", "AveragePooling2D")


class GradCam:
    """Grad-CAM maps of a network. Thread-safe: threads run one after the other.

    The sum of the last feature map's channels, each weighted by the mean gradient of the class's centred logit, with
    negative values set to 0. Source: Selvaraju et al., Grad-CAM (2017), section 3.
    """

    def __init__(self, bundle: Bundle) -> None:
        """Load the model and find its last feature map. Raises BundleError where it has none, and as `load_network`."""
        self._network = load_network(bundle)
        self._layer = _last_map_layer(self._network, bundle)
        self._lock = threading.Lock()

    def __call__(self, image: ImageArray, index: int) -> Heat:
        """Compute the contribution of each cell to a class, by its index: float32 (rows, columns), 0 or more."""
        with self._lock:
            maps, gradients = self._gradients(image, index)
        heats = [_weighted_sum(*pair) for pair in zip(maps, gradients, strict=True)]
        if len(heats) == 2:  # a mirrored classifier calls its network again, on the mirror image
            heats[1] = heats[1][:, ::-1]
        heat: Heat = np.maximum(np.mean(heats, axis=0), 0).astype(np.float32)
        return heat

    def _gradients(self, image: ImageArray, index: int) -> tuple[list[Heat], list[Heat]]:
        """Return the last feature map and the gradient of the centred logit, for each call of the layer."""
        tf = require("tensorflow", extra="train")
        from tellapart.explaining.layer_hooks import hook_layers

        maps: list[Tensor] = []

        def hook(layer: Layer, output: Tensor) -> None:
            if layer is self._layer:
                tape.watch(output)
                maps.append(output)

        with tf.GradientTape(watch_accessed_variables=False) as tape, hook_layers(self._network, hook):
            logs = tf.math.log(tf.maximum(self._network(image[np.newaxis], training=False), MIN_PROB))
            score = logs[0, index] - tf.reduce_mean(logs[0])
        gradients = tape.gradient(score, maps, unconnected_gradients="zero")
        return [tensor.numpy()[0] for tensor in maps], [tensor.numpy()[0] for tensor in gradients]


def _last_map_layer(network: "keras.Model", bundle: Bundle) -> Layer:
    """The layer before pooling or flattening that outputs the last feature map."""
    from tellapart.explaining.layer_hooks import find_map_layers

    shape = bundle.preprocessing
    black = np.zeros((1, shape.height, shape.width, shape.channels), np.uint8)
    layers = [layer for layer, _ in find_map_layers(network, black) if type(layer).__name__ not in POOLINGS]
    if not layers or type(layers[-1]).__name__ in ("InputLayer", "Rescaling"):
        raise BundleError(
            f"{bundle.folder} has no feature map for Grad-CAM: its network has no convolutions. Use the method "
            f"occlusion, which works on any"
        )
    return layers[-1]


def _weighted_sum(maps: Heat, gradients: Heat) -> Heat:
    """Channels (rows, columns, channels) summed, each times its mean gradient: (rows, columns)."""
    heat: Heat = maps @ gradients.mean(axis=(0, 1))
    return heat
