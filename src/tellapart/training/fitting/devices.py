"""Training devices: one, or all GPUs of this machine, each with a share of every batch.

One of the files that name TensorFlow, whose MirroredStrategy keeps the copies of the weights equal.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cache
from typing import Any, Protocol

import keras
import tensorflow as tf

from tellapart.models.networks import Tensor, set_mixed_precision
from tellapart.models.resolved_recipe import NetworkRecipe
from tellapart.training.fitting.fused_optimizer import OptimizerStep, optimizer_step

KIND = "GPU"  # of devices that share batches
Sums = tuple[Tensor, ...]
Learn = Callable[..., Sums]
"""From a batch's arrays and its share of a larger batch, in [0, 1], None where it is all: sums over the batch."""


class Devices(Protocol):
    """Devices that hold the weights and run the steps."""

    def scope(self) -> AbstractContextManager[Any]:
        """Return the scope in which variables are made."""

    def network(self, network: keras.Model, recipe: NetworkRecipe) -> keras.Model:
        """Return the network that learns: this one, or a copy."""

    def update(self, optimizer: keras.optimizers.Optimizer, variables: list[Any]) -> OptimizerStep:
        """Return the function that applies gradients."""

    def step(self, learn: Learn, *batch: Tensor) -> Sums:
        """Learn from one batch."""


def devices_for(network: keras.Model) -> Devices:
    """Choose all GPUs, where there are several; one device for networks that learn from vectors.

    A step of a head on features takes less time than its gradients take from one GPU to the next.
    """
    names = tuple(device.name for device in tf.config.list_logical_devices(KIND))
    return MirroredDevices(_mirrored(names)) if len(names) > 1 and len(network.input_shape) > 2 else SingleDevice()


@cache
def _mirrored(names: tuple[str, ...]) -> Any:  # noqa: ANN401  TensorFlow has no types
    return tf.distribute.MirroredStrategy(names)


class SingleDevice:
    """One device."""

    def scope(self) -> AbstractContextManager[Any]:
        """Return a scope that does nothing."""
        return nullcontext()

    def network(self, network: keras.Model, recipe: NetworkRecipe) -> keras.Model:
        """Return this network."""
        del recipe
        return network

    def update(self, optimizer: keras.optimizers.Optimizer, variables: list[Any]) -> OptimizerStep:
        """Return the fastest function for one device."""
        return optimizer_step(optimizer, variables)

    def step(self, learn: Learn, *batch: Tensor) -> Sums:
        """Learn from the whole batch."""
        return learn(*batch, None)


@dataclass(frozen=True)
class MirroredDevices:
    """Devices of a MirroredStrategy, which start from the same weights and add up their gradients."""

    strategy: Any

    def scope(self) -> AbstractContextManager[Any]:
        """Return the scope in which each device gets its copy of every variable."""
        scope: AbstractContextManager[Any] = self.strategy.scope()
        return scope

    def network(self, network: keras.Model, recipe: NetworkRecipe) -> keras.Model:
        """Copy the network to all devices."""
        twin = keras.models.clone_model(network)
        set_mixed_precision(twin, mixed=recipe.mixed_precision)
        for mine, its in zip(twin.variables, network.variables, strict=True):
            mine.assign(its.numpy())
        return twin

    def update(self, optimizer: keras.optimizers.Optimizer, variables: list[Any]) -> OptimizerStep:
        """Return Keras's own function, which adds up the devices' gradients first."""
        del variables
        return optimizer.apply  # type: ignore[no-any-return]

    def step(self, learn: Learn, *batch: Tensor) -> Sums:
        """Give each device an even share of the batch, and add up their sums."""
        sums = self.strategy.run(self._share, args=(learn, *batch))
        return tuple(self.strategy.reduce("SUM", value, axis=None) for value in sums)

    def _share(self, learn: Learn, *batch: Tensor) -> Sums:
        """Learn from this device's share. In a batch smaller than the devices some get an image of weight 0."""
        number = tf.distribute.get_replica_context().replica_id_in_sync_group
        count, devices = tf.shape(batch[0])[0], self.strategy.num_replicas_in_sync
        first, end = number * count // devices, (number + 1) * count // devices
        counts = tf.cast(end > first, tf.float32)
        first = tf.minimum(first, count - 1)
        end = tf.maximum(end, first + 1)
        part = counts * tf.cast(end - first, tf.float32) / tf.cast(count, tf.float32)
        return tuple(counts * value for value in learn(*(array[first:end] for array in batch), part))
