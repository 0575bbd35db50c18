"""Filters of a network's first layer, and feature maps of its layers, as images. Needs tellapart[train]."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tellapart.bundles.bundle import Bundle
from tellapart.bundles.keras_network import load_network
from tellapart.data.decoding.conversion import ImageArray
from tellapart.errors import BundleError

if TYPE_CHECKING:
    import keras

MAX_LAYERS = 12
CHANNELS = 8
GREY = 128  # of a weight of 0

Layer = Any
"""A Keras layer; Keras and its tensors have no types."""
Tensor = Any


@dataclass(frozen=True)
class LayerMaps:
    """The feature maps of a layer that vary most, those of `channels`, as images uint8 (h, w, 1).

    Each is drawn from its own minimum (black) to its own maximum (white).
    """

    name: str
    kind: str
    shape: tuple[int, int, int]
    channels: tuple[int, ...]
    images: tuple[ImageArray, ...]


def first_filters(bundle: Bundle) -> tuple[ImageArray, ...]:
    """Draw each filter of a network's first layer as an image, uint8 (height, width, 1 or 3), grey where it is 0.

    In a network without convolutions, draw each unit's weights for the pixels. Raises as `load_network` does.
    """
    kernel = _first_kernel(load_network(bundle), bundle)
    largest = np.abs(kernel).max(axis=(0, 1, 2), keepdims=True)
    scaled = GREY + 127 * kernel / np.where(largest > 0, largest, 1)
    return tuple(np.moveaxis(np.round(scaled).astype(np.uint8), 3, 0))


def feature_maps(
    bundle: Bundle, image: ImageArray, *, layers: int = MAX_LAYERS, channels: int = CHANNELS
) -> tuple[LayerMaps, ...]:
    """Compute the feature maps of an image, uint8 as the bundle's preprocessing gives it, from first to last layer.

    Of more than `layers` convolutional layers, as many are chosen at even steps. Raises as `load_network` does.
    """
    network, images = load_network(bundle), image[np.newaxis]
    from tellapart.explaining.layer_hooks import find_map_layers, hook_layers

    convolutions = [layer for layer, _ in find_map_layers(network, images) if layer.weights and _is_convolution(layer)]
    chosen = _evenly_chosen(convolutions, layers)
    if not chosen:
        raise BundleError(
            f"{bundle.folder} has no feature maps to show: its network has no convolutions. To show its weights as "
            f"images, use the method filters"
        )
    maps: dict[int, LayerMaps] = {}

    def hook(layer: Layer, output: Tensor) -> None:
        if layer in chosen:  # a mirrored classifier calls it twice: the image comes first
            maps.setdefault(id(layer), _draw(layer, np.asarray(output)[0], channels))

    with hook_layers(network, hook):
        network(images, training=False)
    return tuple(maps[id(layer)] for layer in chosen)


def _first_kernel(network: "keras.Model", bundle: Bundle) -> NDArray[np.float32]:
    """The weights of the first layer that has a kernel, float32 (height, width, 1 or 3, filters)."""
    from tellapart.models.freezing import leaf_layers

    shape = bundle.preprocessing
    pixels = (shape.height, shape.width, shape.channels)
    kernels = (np.asarray(layer.kernel) for layer in leaf_layers(network) if getattr(layer, "kernel", None) is not None)
    kernel = next(kernels, np.empty(0, np.float32))
    if kernel.ndim == 2 and len(kernel) == np.prod(pixels):
        kernel = kernel.reshape(*pixels, -1)
    if kernel.ndim != 4 or kernel.shape[2] not in (1, 3):
        raise BundleError(
            f"the first layer of {bundle.folder} has weights of shape {kernel.shape}, which are not images: expected a "
            f"convolution over grey or colour, or a dense layer over all pixels"
        )
    return kernel


def _is_convolution(layer: Layer) -> bool:
    """True for layers that make new maps, unlike normalisation, which only scales them."""
    return "Conv" in type(layer).__name__


def _evenly_chosen(layers: Sequence[Layer], limit: int) -> list[Layer]:
    """Up to `limit` distinct layers, at even steps from the first to the last."""
    distinct = list({id(layer): layer for layer in layers}.values())
    indices = np.linspace(0, len(distinct) - 1, min(limit, len(distinct))).round().astype(int)
    return [distinct[index] for index in indices]


def _draw(layer: Layer, maps: NDArray[Any], count: int) -> LayerMaps:
    """Draw the `count` channels of maps (h, w, channels) that vary most, in the order of the channels."""
    chosen = sorted(np.argsort(-maps.std(axis=(0, 1)), kind="stable")[:count].tolist())
    values = maps[:, :, chosen].astype(np.float32)
    low, high = values.min(axis=(0, 1)), values.max(axis=(0, 1))
    grey = np.round(255 * (values - low) / np.where(high > low, high - low, 1)).astype(np.uint8)
    height, width, channels = maps.shape
    images = tuple(grey[:, :, [index]] for index in range(len(chosen)))
    return LayerMaps(layer.name, type(layer).__name__, (height, width, channels), tuple(chosen), images)
