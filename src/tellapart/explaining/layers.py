"""What a network has learnt to look for, and what it makes of an image, layer by layer. Needs tellapart[train]."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tellapart.bundles.bundle import Bundle
from tellapart.data.image import ImageArray
from tellapart.errors import BundleError
from tellapart.explaining.gradcam import network_of

if TYPE_CHECKING:
    import keras

MOST_LAYERS = 12
CHANNELS = 8
GREY = 128  # what a weight of 0 is drawn as

Layer = Any
"""A layer of Keras, which has no types, nor have its tensors."""
Tensor = Any


@dataclass(frozen=True)
class LayerMaps:
    """Some of a layer's feature maps: of `channels`, those that vary most, as images uint8 (h, w, 1).

    Each is drawn from its own least (black) to its own most (white).
    """

    name: str
    kind: str
    shape: tuple[int, int, int]
    channels: tuple[int, ...]
    images: tuple[ImageArray, ...]


def first_filters(bundle: Bundle) -> tuple[ImageArray, ...]:
    """A network's first layer: each filter as an image, uint8 (height, width, 1 or 3), grey where it is 0.

    Of a network without convolutions each unit's weights for the pixels. Raises BundleError, as `network_of` does.
    """
    kernel = _first_kernel(network_of(bundle), bundle)
    largest = np.abs(kernel).max(axis=(0, 1, 2), keepdims=True)
    scaled = GREY + 127 * kernel / np.where(largest > 0, largest, 1)
    return tuple(np.moveaxis(np.round(scaled).astype(np.uint8), 3, 0))


def feature_maps(
    bundle: Bundle, image: ImageArray, *, layers: int = MOST_LAYERS, channels: int = CHANNELS
) -> tuple[LayerMaps, ...]:
    """What the layers make of an image, uint8 as the bundle's preprocessing gives it, from the first to the last.

    Of more than `layers` that have weights some are left out, evenly. Raises BundleError, as `network_of` does.
    """
    network, images = network_of(bundle), image[np.newaxis]
    from tellapart.explaining.layer_hooks import map_shapes, record_layers

    chosen = _spread([layer for layer, _ in map_shapes(network, images) if layer.weights and _turns(layer)], layers)
    if not chosen:
        raise BundleError(
            f"{bundle.folder} has no feature maps to show: its network has no convolutions. Its weights are images "
            f"too: use the method filters"
        )
    found: dict[int, LayerMaps] = {}

    def note(layer: Layer, output: Tensor) -> None:
        if layer in chosen:  # a mirrored classifier calls it twice: the image comes first
            found.setdefault(id(layer), _drawn(layer, np.asarray(output)[0], channels))

    with record_layers(network, note):
        network(images, training=False)
    return tuple(found[id(layer)] for layer in chosen)


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
            f"the first layer of {bundle.folder} has weights of shape {kernel.shape}, which make no images: expected "
            f"a convolution over grey or colour, or a dense layer over all pixels"
        )
    return kernel


def _turns(layer: Layer) -> bool:
    """Whether a layer makes other maps, rather than scaling those it is given."""
    return "Conv" in type(layer).__name__


def _spread(layers: Sequence[Layer], most: int) -> list[Layer]:
    """At most that many, evenly from the first to the last, each once."""
    once = list({id(layer): layer for layer in layers}.values())
    places = np.linspace(0, len(once) - 1, min(most, len(once))).round().astype(int)
    return [once[place] for place in places]


def _drawn(layer: Layer, maps: NDArray[Any], count: int) -> LayerMaps:
    """The `count` channels of maps (h, w, channels) that vary most, in their own order."""
    best = sorted(np.argsort(-maps.std(axis=(0, 1)), kind="stable")[:count].tolist())
    some = maps[:, :, best].astype(np.float32)
    low, high = some.min(axis=(0, 1)), some.max(axis=(0, 1))
    grey = np.round(255 * (some - low) / np.where(high > low, high - low, 1)).astype(np.uint8)
    height, width, channels = maps.shape
    images = tuple(grey[:, :, [place]] for place in range(len(best)))
    return LayerMaps(layer.name, type(layer).__name__, (height, width, channels), tuple(best), images)
