"""Where a base ends, and where it divides into what stays frozen and what is trained.

Layers are counted as Keras lists them, from the input on; a layer stands before all that use its output.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import keras

from tellapart.errors import RecipeError, did_you_mean

BATCH_NORMALIZATION = keras.layers.BatchNormalization


@dataclass(frozen=True)
class SplitBackbone:
    """A base in two: the frozen part, None when all is trained, and the part above it, None when nothing is."""

    frozen: keras.Model | None
    trained: keras.Model | None


def truncate_at(network: keras.Model, cut: str | None) -> keras.Model:
    """The network up to a layer: named, or counted from the end (-6 leaves out the last six). Raises RecipeError."""
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
        raise RecipeError(f"layer {last.name} gives no feature maps to go on from: cut at another layer")
    return keras.Model(network.input, last.output, name=network.name)


def split_backbone(network: keras.Model, unfreeze: int) -> SplitBackbone:
    """Divide a network so that its last `unfreeze` layers are trained and everything that can be is frozen.

    What lies between the seam and the lowest trained layer stays frozen too. Batch normalisation keeps its
    statistics and scale everywhere: a few images would spoil them. Source: Keras's guide to transfer learning.
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
    lowest = next((place for place, step in enumerate(network.operations) if step.name in trained), 0)
    seam = max((place for place in cut_points(network) if place < lowest), default=None)
    if seam is None:
        return SplitBackbone(None, network)
    maps = network.operations[seam].output
    return SplitBackbone(keras.Model(network.input, maps), keras.Model(maps, network.output, name="unfrozen"))


def cut_points(network: keras.Model) -> list[int]:
    """Places among the network's operations after which all that follows stands on that one's feature maps alone."""
    steps = network.operations  # layers, and the additions and the like between them
    parents = _parents(network)
    place = {step.name: number for number, step in enumerate(steps)}
    last_use = [0] * len(steps)
    for name, needed in parents.items():
        for parent in needed:
            last_use[place[parent]] = max(last_use[place[parent]], place[name])
    found, reach = [], 0
    for number, step in enumerate(steps):
        plain = not isinstance(step, keras.Model | keras.layers.InputLayer)
        if reach <= number and plain and len(step.output.shape) == 4:
            found.append(number)
        reach = max(reach, last_use[number])
    return found


def block_sizes(network: keras.Model) -> list[int]:
    """How many last layers to unfreeze for the last block, the last two, and so on.

    A block begins after a seam where branches join or images are pooled; a network without such
    seams has one at each activation.
    """
    steps, parents = network.operations, _parents(network)
    places = cut_points(network)[:-1]
    ends = [p for p in places if len(parents[steps[p].name]) > 1 or isinstance(steps[p], keras.layers.MaxPooling2D)]
    if len(ends) < 2:
        ends = [p for p in places if isinstance(steps[p], keras.layers.ReLU | keras.layers.Activation)]
    counts = (sum(isinstance(step, keras.Layer) for step in steps[place + 1 :]) for place in reversed(ends))
    return [count for count in counts if any(_learns(layer) for layer in network.layers[-count:])]


def leaf_layers(network: keras.Model) -> Iterator[keras.layers.Layer]:
    """All layers of a network, those of models inside it too, without these models."""
    for layer in network.layers:
        if isinstance(layer, keras.Model):
            yield from leaf_layers(layer)
        else:
            yield layer


def _learns(layer: keras.layers.Layer) -> bool:
    return bool(layer.weights) and not isinstance(layer, BATCH_NORMALIZATION)


def _parents(network: keras.Model) -> dict[str, set[str]]:
    """For each layer the names of those whose output it takes."""
    described = network.get_config()["layers"]
    return {layer["name"]: set(_histories(layer["inbound_nodes"])) for layer in described}


def _histories(part: object) -> Iterator[str]:
    """The layers that a serialised call names, wherever in its arguments they stand."""
    if isinstance(part, dict) and "keras_history" in part:
        yield str(part["keras_history"][0])
    elif isinstance(part, dict):
        for value in part.values():
            yield from _histories(value)
    elif isinstance(part, list | tuple):
        for value in part:
            yield from _histories(value)
