"""What the layers of a Keras model give while it is called, models inside it opened up."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import keras

from tellapart.models.freezing import leaf_layers

Tensor = Any
"""A tensor of Keras's backend: Keras has no types."""
Layer = Any
Argument = Any
Note = Callable[[Layer, Tensor], None]


@contextmanager
def record_layers(network: keras.Model, note: Note) -> Iterator[None]:
    """While open, `note` is told each layer and what it gave, in the order in which they are called.

    Models inside the network are opened up; a layer that is called twice is told twice. Not for several threads.
    """
    layers = list({id(layer): layer for layer in leaf_layers(network)}.values())
    for layer in layers:
        layer.call = _telling(layer, layer.call, note)
    try:
        yield
    finally:
        for layer in layers:
            del layer.call


def map_shapes(network: keras.Model, images: Tensor) -> list[tuple[Layer, tuple[int, ...]]]:
    """The layers that give feature maps of more than one cell, as they are called, each with its shape."""
    found: list[tuple[Layer, tuple[int, ...]]] = []

    def note(layer: Layer, output: Tensor) -> None:
        shape = tuple(getattr(output, "shape", ()))
        if len(shape) == 4 and shape[1] * shape[2] > 1:
            found.append((layer, tuple(int(side) for side in shape[1:])))

    with record_layers(network, note):
        network(images, training=False)
    return found


def _telling(layer: Layer, call: Callable[..., Tensor], note: Note) -> Callable[..., Tensor]:
    def told(*words: Argument, **named: Argument) -> Tensor:
        output = call(*words, **named)
        note(layer, output)
        return output

    return told
