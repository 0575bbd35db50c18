"""Optimizer steps fused into one pass over the weights."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from tellapart.models.networks import Tensor
from tellapart.models.resolved_recipe import NetworkRecipe

FUSED_FROM = 100_000  # weights from which one pass over them pays
OptimizerStep = Callable[[list[Tensor]], None]
"""Takes a gradient for each trained variable; None if the loss does not depend on it."""
WARM_UP = 0.3  # share of a one-cycle's steps that go up


def optimizer_step(optimizer: keras.optimizers.Optimizer, variables: list[Any]) -> OptimizerStep:
    """Return the function that applies gradients, for an optimizer that is built for these variables.

    Keras's optimizers read and write each variable many times. For large networks, Adam uses
    TensorFlow's fused operation per variable, which needs no compilation; other optimizers are compiled by XLA.
    """
    if sum(variable.shape.num_elements() for variable in variables) < FUSED_FROM:
        return optimizer.apply  # type: ignore[no-any-return]
    if type(optimizer) is keras.optimizers.Adam and all(variable.dtype == "float32" for variable in variables):
        return _adam(optimizer, variables)
    return tf.function(optimizer.apply, jit_compile=True)  # type: ignore[no-any-return]


def _adam(optimizer: keras.optimizers.Adam, variables: list[Any]) -> OptimizerStep:
    """Adam of Kingma and Ba 2015, in the order of its section 2's last paragraph, as Keras and TensorFlow have it."""
    moments = optimizer.variables[2:]  # after the steps and the learning rate: two for each variable
    triples = list(zip(variables, moments[::2], moments[1::2], strict=True))
    decay = {"beta1": optimizer.beta_1, "beta2": optimizer.beta_2}

    def update(gradients: list[Tensor]) -> None:
        step = tf.cast(optimizer.iterations + 1, tf.float32)
        powers = {f"{name}_power": tf.pow(value, step) for name, value in decay.items()}
        rate = tf.convert_to_tensor(optimizer.learning_rate)
        for gradient, places in zip(gradients, triples, strict=True):
            if gradient is not None:
                names = zip(("var", "m", "v"), places, strict=True)
                handles = {name: place.value.handle for name, place in names}
                tf.raw_ops.ResourceApplyAdam(
                    **handles, **powers, **decay, lr=rate, epsilon=optimizer.epsilon, grad=gradient
                )
        optimizer.iterations.assign_add(1)

    return update


PLATEAU_EPOCHS, PLATEAU_FACTOR, PLATEAU_TIMES = 3, 1 / 3, 4
LOWEST, LAST = 1 / 25, 1e-4  # of a one-cycle's peak: where it begins, where it ends


def rates(recipe: NetworkRecipe, epoch: int, steps: int) -> NDArray[np.float32]:
    """Return the learning rate of each step of an epoch, counted from 0: float32 (steps,); without plateau's factor.

    Sources: cosine, Loshchilov and Hutter 2017, without restarts; one-cycle, Smith and Topin 2018, with cosines for
    the straight lines.
    """
    peak, epochs = recipe.learning_rate, recipe.epochs
    if recipe.schedule == "cosine":
        return np.full(steps, peak * (1 + math.cos(math.pi * epoch / epochs)) / 2, np.float32)
    if recipe.schedule == "one-cycle":
        done = (epoch * steps + np.arange(steps)) / max(epochs * steps - 1, 1)
        return (peak * _cycle(done)).astype(np.float32)
    return np.full(steps, peak, np.float32)


def plateau(losses: Sequence[float | None]) -> float:
    """Return the factor of the learning rate after these losses, one per epoch: a third each time they stall."""
    factor, best, since, times = 1.0, math.inf, 0, 0
    for loss in losses:
        if loss is not None and loss < best:
            best, since = loss, 0
            continue
        since += 1
        if since == PLATEAU_EPOCHS and times < PLATEAU_TIMES:
            factor, since, times = factor * PLATEAU_FACTOR, 0, times + 1
    return factor


def _cycle(done: NDArray[np.floating]) -> NDArray[np.floating]:
    """Rise from LOWEST to 1 at WARM_UP, then fall to LAST; `done` is the share of all steps, in [0, 1]."""
    up = LOWEST + (1 - LOWEST) * (1 - np.cos(np.pi * done / WARM_UP)) / 2
    down = LAST + (1 - LAST) * (1 + np.cos(np.pi * (done - WARM_UP) / (1 - WARM_UP))) / 2
    cycle: NDArray[np.floating] = np.where(done < WARM_UP, up, down)
    return cycle
