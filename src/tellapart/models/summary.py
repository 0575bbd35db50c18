"""Summary of a network: layers, parameters, multiply-adds, memory, and prediction speed on this machine."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import keras

from tellapart.data.pipeline import BATCH
from tellapart.engine import Engine, resolve_precision
from tellapart.models.graphs.convert import to_graph

KERNELS = ("kernel", "depthwise_kernel", "pointwise_kernel")
FLOAT32_BYTES = 4


@dataclass(frozen=True)
class Layer:
    """One layer: output shape without the batch, parameters, and multiply-adds per image."""

    name: str
    kind: str
    shape: tuple[int, ...]
    parameters: int
    multiply_adds: int


@dataclass(frozen=True)
class Summary:
    """A network's layers and totals. Memory in bytes: of the weights, and of one image's layer outputs."""

    layers: tuple[Layer, ...]
    parameters: int
    trainable: int
    multiply_adds: int
    weight_bytes: int
    activation_bytes: int


def summarise(network: keras.Model) -> Summary:
    """Summarise a network; the layers of nested models are listed too."""
    layers = tuple(_layers(network))
    return Summary(
        layers=layers,
        parameters=network.count_params(),
        trainable=sum(math.prod(weight.shape) for weight in network.trainable_weights),
        multiply_adds=sum(layer.multiply_adds for layer in layers),
        weight_bytes=FLOAT32_BYTES * network.count_params(),
        activation_bytes=FLOAT32_BYTES * sum(math.prod(layer.shape) for layer in layers),
    )


def optimizer_numbers(network: keras.Model, optimizer: str) -> int:
    """Count the numbers that an optimizer keeps, such as Adam's two for each trained weight, its step and its rate.

    Keras's own summary counts them as `Optimizer params` once a network was trained.
    """
    keeper = keras.optimizers.get(optimizer)
    keeper.build(network.trainable_variables)
    return sum(math.prod(variable.shape) for variable in keeper.variables)


def prediction_rate(network: keras.Model) -> tuple[float, str]:
    """Measure images per second through the engine on this machine, and return the precision it uses."""
    return Engine(to_graph(network), batch=BATCH).rate(), resolve_precision("auto")


def _layers(network: keras.Model) -> Iterator[Layer]:
    for layer in network.layers:
        if isinstance(layer, keras.Model):
            yield from _layers(layer)
        elif not isinstance(layer, keras.layers.InputLayer):
            shape = tuple(int(side) for side in layer.output.shape[1:])
            yield Layer(layer.name, type(layer).__name__, shape, layer.count_params(), _multiply_adds(layer, shape))


def _multiply_adds(layer: keras.layers.Layer, shape: tuple[int, ...]) -> int:
    """One multiply-add per kernel entry and output position; layers without a kernel cost nothing."""
    positions = math.prod(shape[:-1])
    entries: int = sum(math.prod(weight.shape) for weight in layer.weights if weight.name in KERNELS)
    return positions * entries
