"""A learning rate range test: the rate grows from step to step, and the loss shows where training works best.

Source: Smith, Cyclical Learning Rates for Training Neural Networks (2017), 3.3; growing exponentially, with the
smoothing and the stopping rule of fastai's `lr_find` (Howard & Gugger 2020).
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tellapart.backend import load_keras
from tellapart.data.dataset import Dataset
from tellapart.errors import DatasetError, RecipeError
from tellapart.files import cache_folder
from tellapart.models.catalogue import lookup
from tellapart.models.resolved_recipe import NetworkRecipe, resolve_network
from tellapart.progress import notify, progress
from tellapart.recipe import Recipe
from tellapart.training.prepare import draw_all_splits, preprocessing_for

MIN_RATE, MAX_RATE = 1e-7, 10.0
STEPS, MIN_STEPS, MAX_STEPS = 150, 20, 10_000
SMOOTHING = 0.9  # of the running mean of the losses; a larger value lags behind, which overestimates the rate
DIVERGED_FACTOR = 4.0  # times the least smoothed loss ends the test
WARMUP_SHARE = 0.1  # of all steps; the slope of these first ones is noise
LEARNED_SHARE = 0.9  # of the loss at the start; a least loss above it shows no learning


@dataclass(frozen=True, eq=False)
class RateTest:
    """The learning rate of each step, and the loss of its batch in nats: both float64 (n,)."""

    rates: NDArray[np.float64]
    losses: NDArray[np.float64]

    @cached_property
    def smoothed(self) -> NDArray[np.float64]:
        """The bias-corrected running mean of the losses: float64 (n,)."""
        return np.array(list(_running_mean(self.losses.tolist())))

    @property
    def learned(self) -> bool:
        """True if the loss fell enough to recommend a rate."""
        return bool(self.smoothed.min() <= LEARNED_SHARE * self.smoothed[: _warmup_steps(len(self.rates)) + 1].mean())

    @property
    def least(self) -> float:
        """The rate at the least smoothed loss, above which the loss rises."""
        return float(self.rates[self.smoothed.argmin()])

    @property
    def tenth(self) -> float:
        """A tenth of the rate of the least loss."""
        return self.least / 10

    @property
    def steepest(self) -> float:
        """The rate, up to that of the least loss, at which the smoothed loss falls fastest per decade."""
        end = int(self.smoothed.argmin())
        start = min(_warmup_steps(len(self.rates)), end)
        if end - start < 1:
            return self.least
        slopes = np.gradient(self.smoothed[start : end + 1], np.log10(self.rates[start : end + 1]))
        return float(self.rates[start + slopes.argmin()])

    @property
    def recommended(self) -> float:
        """The lower of `tenth` and `steepest`, to two digits: a rate too low costs epochs, one too high accuracy."""
        return float(f"{min(self.tenth, self.steepest):.1e}")


def lr_find(dataset: Dataset | str | Path, recipe: Recipe, *, steps: int = STEPS) -> RateTest:
    """Train a recipe's network for a few steps at growing learning rates, until its loss diverges.

    Only training images are used, and the network is discarded. Raises RecipeError, DatasetError.
    """
    if not MIN_STEPS <= steps <= MAX_STEPS:
        raise RecipeError(f"steps is {steps}; expected {MIN_STEPS} to {MAX_STEPS:,}, such as {STEPS}")
    if lookup(recipe.model).estimator:
        raise RecipeError(f"{recipe.model} has no learning rate: choose a network, such as --model xception")
    if recipe.then:
        raise RecipeError("then is given, but the test has one stage: leave it out, and give its settings as options")
    dataset, recipe = draw_all_splits(Dataset.of(dataset), recipe)
    resolved = resolve_network(recipe, own_size=dataset.own_size)
    load_keras()
    rates = np.geomspace(MIN_RATE, MAX_RATE, steps)
    losses = np.array(list(_losses(dataset, resolved, rates)))
    if len(losses) < 2:
        raise DatasetError("the loss is not a number from the first step on: check the images and --weights")
    return RateTest(rates[: len(losses)], losses)


def _losses(dataset: Dataset, recipe: NetworkRecipe, rates: NDArray[np.float64]) -> Iterator[float]:
    """Yield the loss of each step, until it is not a number or the smoothed loss is far above its least."""
    from tellapart.training.fitting.loop import Loop, seed_everything  # TensorFlow: only when all checks have passed
    from tellapart.training.tasks import make_task

    seed_everything(recipe.seed)
    only_train = replace(dataset, splits={"train": dataset.splits["train"]})
    task = make_task(only_train, recipe, preprocessing_for(dataset, recipe), cache=cache_folder())
    loop = Loop(task.network, recipe)
    notify(f"{len(rates)} steps of {loop.batch} examples at most, from a learning rate of {MIN_RATE:g} to {MAX_RATE:g}")
    losses: list[float] = []
    least = math.inf
    with progress("trying rates", len(rates), "steps") as advance:
        for loss in loop.steps_at(task.train, rates.tolist()):
            losses.append(loss)
            *_, smoothed = _running_mean(losses)
            least = min(least, smoothed)
            advance(1, note=f"loss {smoothed:.3f}")
            if not math.isfinite(loss):
                return
            yield loss
            if smoothed > DIVERGED_FACTOR * least:
                return


def _running_mean(values: list[float]) -> Iterator[float]:
    mean = 0.0
    for number, value in enumerate(values, start=1):
        mean = SMOOTHING * mean + (1 - SMOOTHING) * value
        yield mean / (1 - SMOOTHING**number)


def _warmup_steps(steps: int) -> int:
    return int(WARMUP_SHARE * steps)
