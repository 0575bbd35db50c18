"""Learning rates from step to step and from epoch to epoch."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tellapart.models.resolved_recipe import NetworkRecipe

PLATEAU_EPOCHS, PLATEAU_FACTOR, PLATEAU_TIMES = 3, 1 / 3, 4
WARM_UP = 0.3  # share of a one-cycle's steps that go up
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
