"""Optimizer steps fused into one pass over the weights."""

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from tellapart.models.scratch import Tensor

FUSED_FROM = 100_000  # weights from which one pass over them pays
OptimizerStep = Callable[[list[Tensor]], None]
"""Takes a gradient for each trained variable; None if the loss does not depend on it."""


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
