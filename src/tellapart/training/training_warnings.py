"""Warnings about a finished training: it diverged, predicts one class for everything, or nothing shows it learned.

They are computed from the files of a run, so that an old run has them too. No Keras here.
"""

import math
import shlex
from collections.abc import Iterator
from dataclasses import asdict, dataclass

import numpy as np

from tellapart.bundles.stored_predictions import StoredPredictions, read_predictions
from tellapart.judging.chance import chance_interval
from tellapart.models.catalogue import lookup
from tellapart.training.fitting.checkpoints import Epoch, History, read_history
from tellapart.training.run import Run

DIVERGED = 5.0  # times the loss of guessing, which no overfitted network reaches either


@dataclass(frozen=True)
class TrainingWarning:
    """A reason to distrust a trained classifier, and what to do.

    `kind` is not-finite, diverged, one-class or chance.
    """

    kind: str
    sentence: str
    advice: str

    def __str__(self) -> str:
        return f"{self.sentence}: {self.advice}"

    def as_json(self) -> dict[str, str]:
        """`{"kind", "sentence", "advice"}`."""
        return asdict(self)


def training_warnings(run: Run) -> tuple[TrainingWarning, ...]:
    """List the warnings about a run, the most telling first; none where it learned something. Raises RunError."""
    classes = run.bundle.classes
    warnings = [*_loss_warnings(run, math.log(len(classes)))][:1]
    split = next((name for name in ("validation", "test") if name in run.metrics), None)
    predictions = read_predictions(run.folder, split) if split else None
    if split and predictions is not None:
        advice = warnings[0].advice if warnings else _advice(run)
        warnings += prediction_warnings(predictions, classes, split, advice=advice)
    return tuple(warnings)


def prediction_warnings(
    predictions: StoredPredictions, classes: tuple[str, ...], split: str, *, advice: str
) -> Iterator[TrainingWarning]:
    """Yield at most one warning about the predictions of a split: one class for all, or no better than chance."""
    labels, predicted = predictions.labels, predictions.predicted
    if len(np.unique(labels)) < 2:  # one class for all may then be right
        return
    count = f"{len(labels):,} {split} images"
    if len(np.unique(predicted)) == 1:
        name = classes[int(predicted[0])]
        sentence = f"it predicts {name} for all {count}, as always answering {name} would: nothing was learned"
        yield TrainingWarning("one-class", sentence, advice)
        return
    chance = chance_interval(labels, predicted)
    if chance.explains:
        sentence = (
            f"its balanced accuracy on the {count} is {chance.balanced_accuracy:.1%}, and guessing reaches "
            f"{chance.low:.1%} to {chance.high:.1%}: nothing shows that it learned"
        )
        yield TrainingWarning("chance", sentence, f"{advice}; with few images, hold out more with --validation 0.3")


def _loss_warnings(run: Run, guessing: float) -> Iterator[TrainingWarning]:
    """Yield warnings about the losses of each stage; `guessing` is the loss of equal probabilities, in nats."""
    paths = [run.folder / "history.csv", *sorted(run.folder.glob("stage-*/history.csv"))]
    for history in (read_history(path) for path in paths if path.exists()):
        for kind, sentence in _loss_sentences(history, guessing):
            yield TrainingWarning(kind, sentence, _smaller_rate(run))


def _loss_sentences(history: History, guessing: float) -> Iterator[tuple[str, str]]:
    name = "training" if any(row.val_loss is None for row in history) else "validation"
    losses = {row.epoch: _loss(row) for row in history}
    finite = {epoch: loss for epoch, loss in losses.items() if math.isfinite(loss)}
    for row in history:
        if not math.isfinite(row.loss + _loss(row)):
            yield "not-finite", f"the training diverged: the loss of epoch {row.epoch} is not a finite number"
            break
    if not finite:
        return
    (first, first_loss), (last, last_loss) = next(iter(finite.items())), next(reversed(finite.items()))
    least = min(finite.values())
    if least > DIVERGED * guessing:
        yield (
            "diverged",
            f"the training diverged: the {name} loss reached {max(finite.values()):.2g} and was never below "
            f"{least:.2g}, where guessing has {guessing:.2g}",
        )
    elif last_loss > DIVERGED * max(first_loss, guessing):
        yield (
            "diverged",
            f"the training diverged: the {name} loss rose from {first_loss:.2g} in epoch {first} to {last_loss:.2g} "
            f"in epoch {last}",
        )


def _loss(row: Epoch) -> float:
    return row.loss if row.val_loss is None else row.val_loss


def _advice(run: Run) -> str:
    check = f"check the labels ({shlex.join(['tellapart', 'check', _source(run)])})"
    if lookup(run.recipe.model).estimator:
        return f"{check}, or try another --model"
    return f"{check}, train longer with more --epochs, or try another learning rate ({_lr_find(run)})"


def _smaller_rate(run: Run) -> str:
    return f"try a smaller learning rate than {run.recipe.learning_rate:g} ({_lr_find(run)})"


def _lr_find(run: Run) -> str:
    return shlex.join(["tellapart", "lr-find", _source(run), "--model", run.recipe.model])


def _source(run: Run) -> str:
    return str(run.environment["dataset"].get("source") or "SOURCE")
