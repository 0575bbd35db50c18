"""The training loop: many steps inside one TensorFlow graph.

One of two files that name TensorFlow. Keras's `fit` spends more on the road between steps than a small network
spends in them; a `tf.range` loop inside one `tf.function` leaves that out (docs/decisions/0005).
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from tellapart.data.dataset import Labels
from tellapart.models.small import Tensor
from tellapart.recipe import Recipe

STEPS = 128  # batches that go through the graph in one call: progress and Ctrl-C wait for no more
FORECAST_STEPS = 8
Array = NDArray[Any]


@dataclass(frozen=True)
class Examples:
    """What a network learns from: inputs (n, ...) and labels int32 (n,)."""

    inputs: Array
    labels: Labels

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class Score:
    """Mean cross-entropy in nats, and accuracy in [0, 1]."""

    loss: float
    accuracy: float


def repeatable(seed: int) -> None:
    """Make everything that follows in this process repeat exactly on CPU."""
    keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()


def training_seconds(network: keras.Model, recipe: Recipe) -> float:
    """How long one picture of an epoch takes to train on, measured on noise on this machine; seconds."""
    loop, noise = Loop(network, recipe), np.random.default_rng(0)
    count = FORECAST_STEPS * loop.batch
    pictures = noise.integers(0, 256, (count, *network.input_shape[1:]), dtype=np.uint8)
    return loop.epoch_seconds(Examples(pictures, np.zeros(count, np.int32))) / count


class Loop:
    """A network being trained. Lives for one fit; holds the network, its optimizer and the compiled steps."""

    def __init__(self, network: keras.Model, recipe: Recipe) -> None:
        self.network = network
        self.recipe = recipe
        self.optimizer = keras.optimizers.get(
            {"class_name": recipe.optimizer, "config": {"learning_rate": recipe.learning_rate}}
        )
        self.optimizer.build(network.trainable_variables)
        shapes = (
            tf.TensorSpec((None, *network.input_shape[1:]), network.input.dtype),
            tf.TensorSpec((None,), tf.int32),
        )
        self._steps = tf.function(self._run_steps, input_signature=shapes)
        self._scores = tf.function(self._score, input_signature=shapes)

    @property
    def batch(self) -> int:
        """Examples per step."""
        return int(self.recipe.batch_size or 32)

    def epoch(self, examples: Examples, epoch: int, advance: Callable[[int], None]) -> Score:
        """One pass in an order that the seed and the epoch's number fix. Returns the mean over its steps."""
        self.optimizer.learning_rate = self.learning_rate(epoch)
        order = np.random.default_rng([self.recipe.seed, epoch]).permutation(len(examples))
        sums = np.zeros(2)
        for start in range(0, len(order), STEPS * self.batch):
            rows = order[start : start + STEPS * self.batch]
            sums += np.array(self._steps(examples.inputs[rows], examples.labels[rows]), dtype=np.float64)
            advance(len(rows))
        return Score(*(sums / len(order)))

    def epoch_seconds(self, examples: Examples) -> float:
        """How long an epoch will take, from a few steps that are then undone; seconds."""
        before = self.state()
        some = slice(0, FORECAST_STEPS * self.batch)
        taken = []
        for _ in ("compiles", "is timed"):
            started = time.perf_counter()
            self._steps(examples.inputs[some], examples.labels[some])
            taken.append(time.perf_counter() - started)
        self.restore(before)
        return taken[-1] * len(examples) / len(examples.labels[some])

    def learning_rate(self, epoch: int) -> float:
        """The step size of an epoch, counted from 0. Source of the cosine: Loshchilov and Hutter 2017, no restarts."""
        start = float(self.recipe.learning_rate or 0)
        if self.recipe.schedule != "cosine":
            return start
        return start * (1 + math.cos(math.pi * epoch / int(self.recipe.epochs or 1))) / 2

    def score(self, examples: Examples) -> Score:
        """Loss and accuracy without learning."""
        sums = np.zeros(2)
        for start in range(0, len(examples), self._scored_at_once):
            rows = slice(start, start + self._scored_at_once)
            sums += np.array(self._scores(examples.inputs[rows], examples.labels[rows]), dtype=np.float64)
        return Score(*(sums / len(examples)))

    def state(self) -> list[Array]:
        """Everything that training changes: weights, optimizer, dropout's random state."""
        return [variable.numpy() for variable in self._variables]

    def restore(self, state: list[Array]) -> None:
        """Put a state back."""
        for variable, value in zip(self._variables, state, strict=True):
            variable.assign(value)

    @property
    def _variables(self) -> list[Any]:
        return [*self.network.variables, *self.optimizer.variables]

    @property
    def _scored_at_once(self) -> int:
        return max(256, self.batch)

    def _run_steps(self, inputs: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        loss, right = tf.constant(0.0), tf.constant(0.0)
        for start in tf.range(0, tf.shape(labels)[0], self.batch):
            some, truth = inputs[start : start + self.batch], labels[start : start + self.batch]
            with tf.GradientTape() as tape:
                logits = self.network(some, training=True)
                losses = self._losses(truth, logits)
                mean = keras.ops.mean(losses)
            self.optimizer.apply(tape.gradient(mean, self.network.trainable_variables))
            loss += keras.ops.sum(losses)
            right += self._right(truth, logits)
        return loss, right

    def _score(self, inputs: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        logits = self.network(inputs, training=False)
        return keras.ops.sum(self._losses(labels, logits)), self._right(labels, logits)

    def _losses(self, labels: Tensor, logits: Tensor) -> Tensor:
        if self.recipe.loss == "binary":
            truth = keras.ops.cast(labels, "float32")[:, None]
            return keras.ops.squeeze(keras.ops.binary_crossentropy(truth, logits, from_logits=True), -1)
        return keras.ops.sparse_categorical_crossentropy(labels, logits, from_logits=True)

    def _right(self, labels: Tensor, logits: Tensor) -> Tensor:
        if self.recipe.loss == "binary":
            guess = keras.ops.cast(logits[:, 0] > 0, "int32")
        else:
            guess = keras.ops.cast(keras.ops.argmax(logits, axis=-1), "int32")
        return keras.ops.sum(keras.ops.cast(guess == labels, "float32"))
