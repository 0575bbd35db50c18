"""The training loop: many steps inside one TensorFlow graph.

Keras's `fit` spends more time between the steps of a small network than in them; a `tf.range` loop inside one
`tf.function` avoids that (docs/decisions/0005).
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from tellapart.data.pipeline import prefetch_map
from tellapart.models.networks import Tensor, set_mixed_precision
from tellapart.models.resolved_recipe import NetworkRecipe
from tellapart.training.fitting.devices import Sums, devices_for
from tellapart.training.fitting.examples import Array, Examples, PreparedExamples, prepare_examples
from tellapart.training.fitting.fused_optimizer import rates

STEPS = 128  # batches in one call of the graph: progress and Ctrl-C wait for no more
CHUNK_BYTES = 64_000_000  # of inputs in one call, where they are large
FORECAST_STEPS = 8


@dataclass(frozen=True)
class Score:
    """Mean cross-entropy in nats, and accuracy in [0, 1]."""

    loss: float
    accuracy: float


def seed_everything(seed: int) -> None:
    """Set all seeds and make operations deterministic: what follows repeats exactly on CPU."""
    keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()


def training_seconds(network: keras.Model, recipe: NetworkRecipe) -> float:
    """Measure the seconds that training takes for one image of an epoch, on noise on this machine."""
    loop, noise = Loop(network, recipe), np.random.default_rng(0)
    count = FORECAST_STEPS * loop.batch
    images = noise.integers(0, 256, (count, *network.input_shape[1:]), dtype=np.uint8)
    return loop.epoch_seconds(Examples(images, np.zeros(count, np.int32))) / count


class Loop:
    """A network being trained. Lives for one fit; holds the network, its optimizer and the compiled steps.

    On several GPUs a copy of the network is trained, and each public call ends by copying its weights back.
    """

    def __init__(self, network: keras.Model, recipe: NetworkRecipe) -> None:
        self.network = network
        self.recipe = recipe
        set_mixed_precision(network, mixed=recipe.mixed_precision)
        self._devices = devices_for(network)
        with self._devices.scope():
            self._learning = self._devices.network(network, recipe)
            self.optimizer = keras.optimizers.get(
                {"class_name": recipe.optimizer, "config": {"learning_rate": recipe.learning_rate}}
            )
            self.optimizer.build(self._learning.trainable_variables)
            self._averages = [tf.Variable(value, trainable=False) for value in self._averaged(self._learning)]
        self._update = self._devices.update(self.optimizer, self._learning.trainable_variables)
        inputs = tf.TensorSpec((None, *network.input_shape[1:]), network.input.dtype)
        targets, vector = tf.TensorSpec((None, self._classes), tf.float32), tf.TensorSpec((None,), tf.float32)
        self._steps = tf.function(self._run_steps, input_signature=(inputs, targets, vector, vector))
        self._scores = tf.function(self._score, input_signature=(inputs, tf.TensorSpec((None,), tf.int32)))

    @property
    def batch(self) -> int:
        """Examples per step."""
        return int(self.recipe.batch_size or 32)

    def epoch(
        self, examples: Examples, epoch: int, advance: Callable[[int], None], *, rate_factor: float = 1.0
    ) -> Score:
        """One pass in an order that the seed and the epoch's number fix. Returns the mean over its steps.

        `rate_factor` multiplies the schedule's learning rates.
        """
        order = np.random.default_rng([self.recipe.seed, epoch]).permutation(len(examples))
        by_step = rates(self.recipe, epoch, -(-len(order) // self.batch)) * np.float32(rate_factor)
        prepared = partial(prepare_examples, examples, recipe=self.recipe, classes=self._classes, epoch=epoch)
        sums, done = np.zeros(2), 0
        chunks = list(self._chunks(examples, order))
        several = len(chunks) > 1  # else a thread to prepare the next costs more than it saves
        for ready in prefetch_map(prepared, chunks, depth=2) if several else map(prepared, chunks):
            sums += self._learned(ready, by_step[done // self.batch :])
            done += len(ready)
            advance(len(ready))
        self._hand_over()
        return Score(*(sums / len(order)))

    def steps_at(self, examples: Examples, by_step: Sequence[float]) -> Iterator[float]:
        """Train one step per learning rate, and yield the loss of each batch before its step.

        The batches are those of successive epochs, from epoch 0.
        """
        in_an_epoch = -(-len(examples) // self.batch)
        for number, rate in enumerate(by_step):
            epoch, place = divmod(number, in_an_epoch)
            order = np.random.default_rng([self.recipe.seed, epoch]).permutation(len(examples))
            rows = order[place * self.batch : (place + 1) * self.batch]
            ready = prepare_examples(examples, rows, self.recipe, self._classes, epoch=epoch)
            loss = float(self._learned(ready, np.array([rate], np.float32))[0]) / len(rows)
            self._hand_over()
            yield loss

    def epoch_seconds(self, examples: Examples) -> float:
        """Forecast the seconds of an epoch, from a few steps that are then undone."""
        before = self.state()
        rows = np.arange(min(len(examples), FORECAST_STEPS * self.batch))
        still = np.zeros(FORECAST_STEPS, np.float32)
        taken = []
        for _ in ("compiles", "is timed"):
            started = time.perf_counter()
            self._learned(prepare_examples(examples, rows, self.recipe, self._classes), still)
            taken.append(time.perf_counter() - started)
        self.restore(before)
        return taken[-1] * len(examples) / len(rows)

    @property
    def rate(self) -> float:
        """Learning rate of the last step."""
        return float(self.optimizer.learning_rate.numpy())

    def score(self, examples: Examples) -> Score:
        """Evaluate loss and accuracy, with averaged weights if the recipe averages them."""
        sums = np.zeros(2)
        chunk = max(256, self.batch)
        with self._averaged_weights():
            for start in range(0, len(examples), chunk):
                rows = slice(start, start + chunk)
                sums += np.array(self._scores(examples.inputs[rows], examples.labels[rows]), dtype=np.float64)
        return Score(*(sums / len(examples)))

    def settle(self) -> None:
        """Give the network its averaged weights for good, where the recipe has them."""
        _assign(self._averaged(self._learning), self._averages)
        self._hand_over()

    def state(self) -> list[Array]:
        """Return everything that training changes: weights, optimizer, random state of dropout."""
        return [variable.numpy() for variable in self._variables]

    def restore(self, state: list[Array]) -> None:
        """Restore a state."""
        _assign(self._variables, state)
        self._hand_over()

    @property
    def _variables(self) -> list[Any]:
        return [*self._learning.variables, *self.optimizer.variables, *self._averages]

    def _averaged(self, network: keras.Model) -> list[Any]:
        return list(network.trainable_variables) if self.recipe.ema else []

    @property
    def _classes(self) -> int:
        return max(2, int(self.network.output_shape[-1]))

    @contextmanager
    def _averaged_weights(self) -> Iterator[None]:
        averaged = self._averaged(self.network)
        own = [variable.numpy() for variable in averaged]
        _assign(averaged, self._averages)
        try:
            yield
        finally:
            _assign(averaged, own)

    def _hand_over(self) -> None:
        if self._learning is not self.network:
            _assign(self.network.variables, [variable.numpy() for variable in self._learning.variables])

    def _chunks(self, examples: Examples, order: NDArray[np.integer]) -> Iterator[NDArray[np.integer]]:
        """Cut the order into chunks of whole batches."""
        batch_bytes = self.batch * examples.inputs[:1].nbytes
        size = self.batch * max(1, min(STEPS, CHUNK_BYTES // batch_bytes))
        return (order[start : start + size] for start in range(0, len(order), size))

    def _learned(self, ready: PreparedExamples, by_step: NDArray[np.float32]) -> NDArray[np.float64]:
        sums = self._steps(ready.inputs, ready.targets, ready.weights, by_step)
        return np.array(sums, dtype=np.float64)

    def _run_steps(self, inputs: Tensor, targets: Tensor, weights: Tensor, by_step: Tensor) -> tuple[Tensor, Tensor]:
        loss, correct, step = tf.constant(0.0), tf.constant(0.0), tf.constant(0)
        for start in tf.range(0, tf.shape(targets)[0], self.batch):
            rows = slice(start, start + self.batch)
            self.optimizer.learning_rate.assign(by_step[step])
            sums = self._devices.step(self._learn, inputs[rows], targets[rows], weights[rows])
            loss += sums[0]
            correct += sums[1]
            step += 1
        return loss, correct

    def _learn(self, inputs: Tensor, targets: Tensor, weights: Tensor, part: Tensor | None) -> Sums:
        """Take a step on these examples, a batch or a part of one. Returns the sum of losses and the number correct."""
        with tf.GradientTape() as tape:
            logits = self._learning(inputs, training=True)
            losses = self._losses(targets, logits) * weights
            mean = keras.ops.mean(losses)
        self._update(tape.gradient(mean, self._learning.trainable_variables, output_gradients=part))
        for average, variable in zip(self._averages, self._averaged(self._learning), strict=True):
            average.assign(self.recipe.ema * average + (1 - self.recipe.ema) * variable)
        return keras.ops.sum(losses), self._count_correct(keras.ops.argmax(targets, axis=-1), logits)

    def _score(self, inputs: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        logits = self.network(inputs, training=False)
        targets = keras.ops.one_hot(labels, self._classes)
        return keras.ops.sum(self._losses(targets, logits)), self._count_correct(labels, logits)

    def _losses(self, targets: Tensor, logits: Tensor) -> Tensor:
        if self.recipe.loss == "binary":
            return keras.ops.squeeze(keras.ops.binary_crossentropy(targets[:, 1:], logits, from_logits=True), -1)
        return keras.ops.categorical_crossentropy(targets, logits, from_logits=True)

    def _count_correct(self, labels: Tensor, logits: Tensor) -> Tensor:
        if self.recipe.loss == "binary":
            predicted = keras.ops.cast(logits[:, 0] > 0, "int32")
        else:
            predicted = keras.ops.argmax(logits, axis=-1)
        return keras.ops.sum(keras.ops.cast(predicted == keras.ops.cast(labels, predicted.dtype), "float32"))


def _assign(variables: list[Any], values: list[Any]) -> None:
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)
