"""Fit a network: epochs, early stopping, checkpoints, resume."""

import math
import time
from collections.abc import Callable
from dataclasses import astuple, fields
from pathlib import Path

import keras

from tellapart.errors import RunError
from tellapart.files import atomic_write, csv_text, remove_partials
from tellapart.models.resolved_recipe import NetworkRecipe
from tellapart.progress import notify, progress
from tellapart.text import joined
from tellapart.training.fitting import checkpoints
from tellapart.training.fitting.checkpoints import Epoch, History
from tellapart.training.fitting.examples import Examples
from tellapart.training.fitting.fused_optimizer import plateau
from tellapart.training.fitting.loop import Loop, Score


def fit(
    network: keras.Model, recipe: NetworkRecipe, train: Examples, validation: Examples | None, *, folder: Path
) -> tuple[History, int]:
    """Train `network` in place until epochs or patience end, or it diverges; leave it with the best epoch's weights.

    `folder` gets `history.csv` and `checkpoints/`; what a killed fit left there is resumed. Without a
    validation split the last epoch is the best. Returns the history and the best epoch's number.
    """
    loop = Loop(network, recipe)
    history = _resumed(loop, recipe, folder)
    total = recipe.epochs
    if not _is_over(history, recipe):
        seconds = loop.epoch_seconds(train)
        notify(
            f"training: at most {total - len(history)} epochs of {len(train):,} examples, about {seconds:.2g} s each"
        )
    with progress("training", (total - len(history)) * len(train), "examples") as advance:
        while not _is_over(history, recipe):
            history += (next_epoch(loop, history, recipe, train, validation, advance),)
            _keep(loop, history, recipe, folder)
            advance(0, note=_note(history))
    return history, _restore_epoch(loop, recipe, folder, None)


def restore_epoch(network: keras.Model, recipe: NetworkRecipe, folder: Path, epoch: int | None = None) -> int:
    """Give `network` the weights after an epoch, by default the one that `fit` chose, and return its number.

    `folder` is that of `fit`. Raises RunError where the checkpoint was not kept.
    """
    return _restore_epoch(Loop(network, recipe), recipe, folder, epoch)


def _restore_epoch(loop: Loop, recipe: NetworkRecipe, folder: Path, epoch: int | None) -> int:
    saved = {checkpoint.epoch: checkpoint for checkpoint in checkpoints.found(folder / "checkpoints")}
    if not saved:
        raise RunError(f"{folder} has no checkpoints: only a network that was trained epoch by epoch keeps them")
    history = saved[max(saved)].history
    wanted = epoch or (len(history) if recipe.keep == "last" else best_epoch(history, recipe))
    if wanted not in saved:
        raise RunError(
            f"{folder} has no checkpoint of epoch {wanted}, only of {joined([*map(str, saved)])}: train with --keep "
            f"all to keep every one"
        )
    loop.restore(saved[wanted].state())
    loop.settle()
    return wanted


def best_epoch(history: History, recipe: NetworkRecipe) -> int:
    """Return the epoch, from 1, after which `monitor` did not improve by more than `min_delta` again."""
    best, best_value = len(history), None
    for row in history:
        value = getattr(row, recipe.monitor)
        if value is None:
            return len(history)
        value = value if recipe.monitor == "val_loss" else -value
        if best_value is None or math.isnan(best_value) or value < best_value - recipe.min_delta:
            best, best_value = row.epoch, value
    return best


def next_epoch(
    loop: Loop,
    history: History,
    recipe: NetworkRecipe,
    train: Examples,
    validation: Examples | None,
    advance: Callable[[int], None],
) -> Epoch:
    """Train for one more epoch and evaluate it on validation."""
    started = time.perf_counter()
    score = loop.epoch(train, len(history), advance, rate_factor=_rate_factor(history, recipe))
    evaluated = loop.score(validation) if validation is not None else None
    return _row(loop, score, evaluated, len(history), time.perf_counter() - started)


def patience_ended(history: History, recipe: NetworkRecipe) -> bool:
    """Tell whether the last epochs, as many as the recipe's patience, brought no improvement; never with 0."""
    return 0 < recipe.patience <= len(history) - best_epoch(history, recipe)


def _is_over(history: History, recipe: NetworkRecipe) -> bool:
    """Tell whether epochs or patience have ended, or the weights are lost: after a loss of NaN they stay NaN."""
    is_lost = bool(history) and math.isnan(history[-1].loss)
    return len(history) >= recipe.epochs or is_lost or patience_ended(history, recipe)


def _rate_factor(history: History, recipe: NetworkRecipe) -> float:
    """Return plateau's factor of the learning rate; by the training loss without a validation split."""
    if recipe.schedule != "plateau":
        return 1.0
    return plateau([row.loss if row.val_loss is None else row.val_loss for row in history])


def _resumed(loop: Loop, recipe: NetworkRecipe, folder: Path) -> History:
    path = folder / "checkpoints"
    path.mkdir(parents=True, exist_ok=True)
    remove_partials(path)
    saved = checkpoints.found(path)
    if not saved:
        return ()
    loop.restore(saved[-1].state())
    _tidy(saved[-1].history, recipe, folder)
    return saved[-1].history


def _keep(loop: Loop, history: History, recipe: NetworkRecipe, folder: Path) -> None:
    """Store the state after the newest epoch."""
    checkpoints.write(folder / "checkpoints", history, loop.state())
    _tidy(history, recipe, folder)


def _tidy(history: History, recipe: NetworkRecipe, folder: Path) -> None:
    """Drop checkpoints that are not needed and update the table, also where a kill prevented it."""
    if recipe.keep != "all":
        checkpoints.keep_only(folder / "checkpoints", {best_epoch(history, recipe), len(history)})
    atomic_write(folder / "history.csv", _csv(history))


def _csv(history: History) -> str:
    return csv_text([field.name for field in fields(Epoch)], map(astuple, history))


def _row(loop: Loop, score: Score, evaluated: Score | None, epoch: int, seconds: float) -> Epoch:
    return Epoch(
        epoch=epoch + 1,
        loss=round(score.loss, 6),
        accuracy=round(score.accuracy, 6),
        val_loss=round(evaluated.loss, 6) if evaluated else None,
        val_accuracy=round(evaluated.accuracy, 6) if evaluated else None,
        learning_rate=float(f"{loop.rate:.6g}"),
        seconds=round(seconds, 3),
    )


def _note(history: History) -> str:
    row = history[-1]
    training = f"epoch {row.epoch}: loss {row.loss:.3f}, accuracy {row.accuracy:.3f}"
    return training if row.val_loss is None else f"{training}; validation {row.val_loss:.3f}, {row.val_accuracy:.3f}"
