"""Warnings about a finished training: it diverged, predicts one class for everything, or nothing shows it learned.

They are computed from the files of a run, sweep or search, so that an old one has them too. No Keras here.
"""

import math
import shlex
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from tellapart.bundles.stored_predictions import read_predictions
from tellapart.data.dataset import Labels
from tellapart.judging.chance import ROUNDING, chance_interval
from tellapart.models.catalogue import lookup
from tellapart.recipe import Recipe
from tellapart.training.fitting.checkpoints import Epoch, History, read_history
from tellapart.training.run import Run

Predicted = NDArray[np.integer]
SOURCE = "SOURCE"
HELD_OUT = "held-out"  # the images of a fold, in place of a split
LEARNED = 0.98  # times the loss of answering with the classes' shares: less shows that something was learned
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


@dataclass(frozen=True)
class Training:
    """A recipe to advise on, and where its images come from."""

    recipe: Recipe
    source: str | None

    @property
    def advice(self) -> str:
        """Advice where nothing was learned."""
        check = f"check the labels ({shlex.join(['tellapart', 'check', self.source or SOURCE])})"
        if lookup(self.recipe.model).estimator:
            return f"{check}, or try another --model"
        return f"{check}, train longer with more --epochs, or try another learning rate ({self._lr_find})"

    @property
    def smaller_rate(self) -> str:
        """Advice where the loss grew."""
        return f"try a smaller learning rate than {self.recipe.learning_rate:g} ({self._lr_find})"

    @property
    def _lr_find(self) -> str:
        return shlex.join(["tellapart", "lr-find", self.source or SOURCE, "--model", self.recipe.model])


def training_warnings(run: Run) -> tuple[TrainingWarning, ...]:
    """List the warnings about a run, the most telling first; none where it learned something. Raises RunError."""
    paths = [run.folder / "history.csv", *sorted(run.folder.glob("stage-*/history.csv"))]
    return run_warnings(run, run.recipe, [read_history(path) for path in paths if path.exists()])


def run_warnings(run: Run, recipe: Recipe, histories: Iterable[History]) -> tuple[TrainingWarning, ...]:
    """List the warnings about a folder with a bundle and its predictions, trained in these stages. Raises RunError."""
    training, classes = Training(recipe, run.environment["dataset"].get("source")), run.bundle.classes
    split = next((name for name in ("validation", "test") if name in run.metrics), None)
    stored = read_predictions(run.folder, split) if split else None
    if not split or stored is None:
        return tuple(_loss_warnings(histories, len(classes), training))
    return judged_warnings(histories, stored.labels, stored.predicted, classes, split, training)


def judged_warnings(
    histories: Iterable[History],
    labels: Labels,
    predicted: Predicted,
    classes: Sequence[str],
    split: str,
    training: Training,
) -> tuple[TrainingWarning, ...]:
    """List the warnings about a training, from its stages and its predictions of a split: both int (n,)."""
    warnings = [*_loss_warnings(histories, len(classes), training)]
    advice = warnings[0].advice if warnings else training.advice
    return (*warnings, *_prediction_warnings(labels, predicted, classes, split, advice=advice))


def trial_warnings(
    history: History, best: Epoch, labels: Labels, classes: Sequence[str], training: Training
) -> tuple[TrainingWarning, ...]:
    """List the warnings about a trial of which only the epochs are known, and the labels of validation, int (n,)."""
    warnings = [*_loss_warnings([history], len(classes), training)]
    advice = warnings[0].advice if warnings else training.advice
    shares = np.bincount(labels, minlength=len(classes)) / max(len(labels), 1)
    accuracy, name = best.val_accuracy, classes[int(shares.argmax())]
    entropy = -float((shares[shares > 0] * np.log(shares[shares > 0])).sum())
    has_learned = best.val_loss is not None and best.val_loss < LEARNED * entropy
    if accuracy is not None and entropy > 0 and accuracy <= shares.max() + ROUNDING and not has_learned:
        sentence = (
            f"its accuracy on the {len(labels):,} validation images is {accuracy:.1%}, and always answering {name} "
            f"reaches {shares.max():.1%}: nothing shows that it learned"
        )
        warnings.append(TrainingWarning("chance", sentence, advice))
    return tuple(warnings)


def _prediction_warnings(
    labels: Labels, predicted: Predicted, classes: Sequence[str], split: str, *, advice: str
) -> Iterator[TrainingWarning]:
    """Yield at most one warning about the predictions of a split: one class for all, or no better than chance."""
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
        more = "take fewer --folds" if split == HELD_OUT else "hold out more with --validation 0.3"
        yield TrainingWarning("chance", sentence, f"{advice}; with few images, {more}")


def _loss_warnings(histories: Iterable[History], classes: int, training: Training) -> Iterator[TrainingWarning]:
    """Yield at most one warning, about the first stage whose losses show that it diverged."""
    for history in histories:
        for kind, sentence in _loss_sentences(history, math.log(classes)):
            yield TrainingWarning(kind, sentence, training.smaller_rate)
            return


def _loss_sentences(history: History, guessing: float) -> Iterator[tuple[str, str]]:
    """Yield kinds and sentences about one stage; `guessing` is the loss of equal probabilities, in nats."""
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
