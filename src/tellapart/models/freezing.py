"""Cut a backbone short, and split it into a frozen and a trained part.

Layers are counted as Keras lists them, from the input on; a layer comes before all that use its output.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import keras

from tellapart.errors import RecipeError, did_you_mean

BATCH_NORMALIZATION = keras.layers.BatchNormalization


@dataclass(frozen=True)
class SplitBackbone:
    """A backbone in two: the frozen part, None if all is trained, and the trained part above it, None if none is."""

    frozen: keras.Model | None
    trained: keras.Model | None


def truncate_at(network: keras.Model, cut: str | None) -> keras.Model:
    """Truncate a network after a layer, by name or counted from the end (-6 drops the last six). Raises RecipeError."""
    if cut is None:
        return network
    names = [layer.name for layer in network.layers]
    try:
        count = int(cut)
    except ValueError:
        count = None
    if count is not None and not -len(names) < count < 0:
        raise RecipeError(f"cut is {cut}; expected -1 to {1 - len(names)}, or a layer's name: {names[-1]}")
    if count is None and cut not in names:
        raise RecipeError(f"there is no layer {cut!r} to cut at: {did_you_mean(cut, names)}")
    last = network.layers[count - 1] if count is not None else network.get_layer(cut)
    if isinstance(last, keras.Model) or len(last.output.shape) != 4:
        raise RecipeError(f"layer {last.name} does not output feature maps: cut at another layer")
    return keras.Model(network.input, last.output, name=network.name)


def split_backbone(network: keras.Model, unfreeze: int) -> SplitBackbone:
    """Split a network at the last cut point below its last `unfreeze` layers, which are trained.

    Layers between the cut point and the lowest trained layer are frozen too. Batch normalisation keeps its statistics
    and scale everywhere: a few images would spoil them. Source: Keras's guide to transfer learning.
    """
    if not unfreeze:
        return SplitBackbone(network, None)
    first = max(len(network.layers) - unfreeze, 0)
    trained = {layer.name for layer in network.layers[first:]}
    for layer in leaf_layers(network):
        layer.trainable = not isinstance(layer, BATCH_NORMALIZATION)
    for layer in network.layers[:first]:
        layer.trainable = False
    if not any(layer.trainable_weights for layer in network.layers if layer.name in trained):
        raise RecipeError(f"unfreeze is {unfreeze}: the last {unfreeze} layers of {network.name} have nothing to train")
    lowest = next((index for index, operation in enumerate(network.operations) if operation.name in trained), 0)
    cut = max((index for index in cut_points(network) if index < lowest), default=None)
    if cut is None:
        return SplitBackbone(None, network)
    maps = network.operations[cut].output
    return SplitBackbone(keras.Model(network.input, maps), keras.Model(maps, network.output, name="unfrozen"))


def cut_points(network: keras.Model) -> list[int]:
    """Find the indices of operations whose feature maps are the only input of all that follow."""
    operations = network.operations  # layers, and additions and the like between them
    parents = _parents(network)
    index = {operation.name: number for number, operation in enumerate(operations)}
    last_use = [0] * len(operations)
    for name, inputs in parents.items():
        for parent in inputs:
            last_use[index[parent]] = max(last_use[index[parent]], index[name])
    points, latest_use = [], 0
    for number, operation in enumerate(operations):
        plain = not isinstance(operation, keras.Model | keras.layers.InputLayer)
        if latest_use <= number and plain and len(operation.output.shape) == 4:
            points.append(number)
        latest_use = max(latest_use, last_use[number])
    return points


def block_sizes(network: keras.Model) -> list[int]:
    """Count the layers of the last block, of the last two blocks, and so on: useful values of `unfreeze`.

    A block begins after a cut point where branches join or maps are pooled; a network without such points has a block
    after each activation.
    """
    operations, parents = network.operations, _parents(network)
    points = cut_points(network)[:-1]
    ends = [
        point
        for point in points
        if len(parents[operations[point].name]) > 1 or isinstance(operations[point], keras.layers.MaxPooling2D)
    ]
    if len(ends) < 2:
        ends = [point for point in points if isinstance(operations[point], keras.layers.ReLU | keras.layers.Activation)]
    counts = (sum(isinstance(layer, keras.Layer) for layer in operations[end + 1 :]) for end in reversed(ends))
    return [count for count in counts if any(_learns(layer) for layer in network.layers[-count:])]


def leaf_layers(network: keras.Model) -> Iterator[keras.layers.Layer]:
    """Iterate over all layers of a network, those of nested models in place of the models."""
    for layer in network.layers:
        if isinstance(layer, keras.Model):
            yield from leaf_layers(layer)
        else:
            yield layer


def _learns(layer: keras.layers.Layer) -> bool:
    return bool(layer.weights) and not isinstance(layer, BATCH_NORMALIZATION)


def _parents(network: keras.Model) -> dict[str, set[str]]:
    """The names of the layers whose outputs each layer takes."""
    described = network.get_config()["layers"]
    return {layer["name"]: set(_histories(layer["inbound_nodes"])) for layer in described}


def _histories(part: object) -> Iterator[str]:
    """The layers that a serialised call names, anywhere in its arguments."""
    if isinstance(part, dict) and "keras_history" in part:
        yield str(part["keras_history"][0])
    elif isinstance(part, dict):
        for value in part.values():
            yield from _histories(value)
    elif isinstance(part, list | tuple):
        for value in part:
            yield from _histories(value)
