"""What a network learns on: one device, or all GPUs of this machine, each with a share of every batch.

One of the files that name TensorFlow, whose MirroredStrategy holds the copies of the weights and keeps them alike.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cache
from typing import Any, Protocol

import keras
import tensorflow as tf

from tellapart.models.mixed_precision import set_mixed_precision
from tellapart.models.resolved_recipe import NetworkRecipe
from tellapart.models.scratch import Tensor
from tellapart.training.fitting.optimizer_step import OptimizerStep, optimizer_step

KIND = "GPU"  # of devices that share batches
Sums = tuple[Tensor, ...]
Learn = Callable[..., Sums]
"""From a batch's arrays and the part it is of a larger batch, in [0, 1], None where it is all: sums over the batch."""


class Devices(Protocol):
    """Where the weights are and a step is done."""

    def scope(self) -> AbstractContextManager[Any]:
        """Within it variables are made."""

    def network(self, network: keras.Model, recipe: NetworkRecipe) -> keras.Model:
        """The network that learns: this one, or one like it."""

    def update(self, optimizer: keras.optimizers.Optimizer, variables: list[Any]) -> OptimizerStep:
        """What a step does with its gradients."""

    def step(self, learn: Learn, *batch: Tensor) -> Sums:
        """Learn from a batch."""


def devices_for(network: keras.Model) -> Devices:
    """All GPUs, where there are several; one device for what learns from vectors.

    A step of a head on features takes less time than its gradients take from one GPU to the next.
    """
    names = tuple(device.name for device in tf.config.list_logical_devices(KIND))
    return Several(_mirrored(names)) if len(names) > 1 and len(network.input_shape) > 2 else One()


@cache
def _mirrored(names: tuple[str, ...]) -> Any:  # noqa: ANN401  TensorFlow has no types
    return tf.distribute.MirroredStrategy(names)


class One:
    """One device: everything as it is."""

    def scope(self) -> AbstractContextManager[Any]:
        """Nothing is particular about it."""
        return nullcontext()

    def network(self, network: keras.Model, recipe: NetworkRecipe) -> keras.Model:
        """This one."""
        del recipe
        return network

    def update(self, optimizer: keras.optimizers.Optimizer, variables: list[Any]) -> OptimizerStep:
        """The quickest on one device."""
        return optimizer_step(optimizer, variables)

    def step(self, learn: Learn, *batch: Tensor) -> Sums:
        """All of the batch at once."""
        return learn(*batch, None)


@dataclass(frozen=True)
class Several:
    """Devices of a MirroredStrategy, which start from the same weights and add up the same gradients."""

    strategy: Any

    def scope(self) -> AbstractContextManager[Any]:
        """Each device gets its copy of what is made within."""
        scope: AbstractContextManager[Any] = self.strategy.scope()
        return scope

    def network(self, network: keras.Model, recipe: NetworkRecipe) -> keras.Model:
        """One like it on all devices."""
        twin = keras.models.clone_model(network)
        set_mixed_precision(twin, mixed=recipe.mixed_precision)
        for mine, its in zip(twin.variables, network.variables, strict=True):
            mine.assign(its.numpy())
        return twin

    def update(self, optimizer: keras.optimizers.Optimizer, variables: list[Any]) -> OptimizerStep:
        """Keras's own, which adds up the devices' gradients first."""
        del variables
        return optimizer.apply  # type: ignore[no-any-return]

    def step(self, learn: Learn, *batch: Tensor) -> Sums:
        """A share of the batch for each device, as even as can be, and the sums of theirs."""
        sums = self.strategy.run(self._share, args=(learn, *batch))
        return tuple(self.strategy.reduce("SUM", one, axis=None) for one in sums)

    def _share(self, learn: Learn, *batch: Tensor) -> Sums:
        """What a device does. A batch smaller than there are devices leaves some an image that counts nothing."""
        number = tf.distribute.get_replica_context().replica_id_in_sync_group
        count, devices = tf.shape(batch[0])[0], self.strategy.num_replicas_in_sync
        first, end = number * count // devices, (number + 1) * count // devices
        counts = tf.cast(end > first, tf.float32)
        first = tf.minimum(first, count - 1)
        end = tf.maximum(end, first + 1)
        part = counts * tf.cast(end - first, tf.float32) / tf.cast(count, tf.float32)
        return tuple(counts * one for one in learn(*(array[first:end] for array in batch), part))
