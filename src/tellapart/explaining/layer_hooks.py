"""Hooks on the outputs of a Keras model's layers, those of nested models included."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import keras

from tellapart.models.freezing import leaf_layers

Tensor = Any
"""A tensor of Keras's backend: Keras has no types."""
Layer = Any
Argument = Any
OutputHook = Callable[[Layer, Tensor], None]


@contextmanager
def hook_layers(network: keras.Model, hook: OutputHook) -> Iterator[None]:
    """Call `hook` with each layer and its output, in the order of the calls, inside the `with` block.

    Layers of nested models are hooked too; a layer that is called twice gives two outputs. Not thread-safe.
    """
    layers = list({id(layer): layer for layer in leaf_layers(network)}.values())
    for layer in layers:
        layer.call = _hooked(layer, layer.call, hook)
    try:
        yield
    finally:
        for layer in layers:
            del layer.call


def find_map_layers(network: keras.Model, images: Tensor) -> list[tuple[Layer, tuple[int, ...]]]:
    """Find the layers that output feature maps of more than one cell, in the order of the calls, with their shapes."""
    map_layers: list[tuple[Layer, tuple[int, ...]]] = []

    def hook(layer: Layer, output: Tensor) -> None:
        shape = tuple(getattr(output, "shape", ()))
        if len(shape) == 4 and shape[1] * shape[2] > 1:
            map_layers.append((layer, tuple(int(side) for side in shape[1:])))

    with hook_layers(network, hook):
        network(images, training=False)
    return map_layers


def _hooked(layer: Layer, call: Callable[..., Tensor], hook: OutputHook) -> Callable[..., Tensor]:
    def hooked_call(*args: Argument, **kwargs: Argument) -> Tensor:
        output = call(*args, **kwargs)
        hook(layer, output)
        return output

    return hooked_call
