"""What folds came to: a row for each, their mean and spread, and every image's out-of-fold probabilities."""

import io
import json
from collections.abc import Sequence
from dataclasses import asdict, astuple, dataclass, fields
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tellapart.data.dataset import Dataset, Labels
from tellapart.files import atomic_write, csv_text
from tellapart.judging.confusion import confusion_matrix
from tellapart.judging.fold_interval import mean_over_folds
from tellapart.judging.intervals import Estimate
from tellapart.judging.judge import Evaluation, judge
from tellapart.judging.metrics import accuracy, log_loss, macro_f1
from tellapart.recipe import Recipe

METRICS = ("accuracy", "log_loss", "macro_f1")
INTERVAL = "Student's t over folds, variance corrected for shared training images (Nadeau & Bengio 2003)"


@dataclass(frozen=True)
class FoldRow:
    """A row of folds.csv: a fold of `n` images, and the epoch that was chosen, None where there are no epochs."""

    fold: int
    n: int
    accuracy: float
    log_loss: float
    macro_f1: float
    epoch: int | None
    seconds: float


@dataclass(frozen=True, eq=False)
class FoldResult:
    """What is kept of a finished fold: content hashes (n), labels int32 (n,), probabilities float32 (n, classes)."""

    fold: int
    digests: tuple[str, ...]
    labels: Labels
    probabilities: NDArray[np.float32]
    epoch: int | None
    seconds: float

    @cached_property
    def row(self) -> FoldRow:
        """Its row of folds.csv."""
        counts = confusion_matrix(self.labels, self.probabilities.argmax(axis=1), self.probabilities.shape[1])
        return FoldRow(
            fold=self.fold,
            n=len(self.labels),
            accuracy=round(accuracy(self.labels, self.probabilities), 6),
            log_loss=round(log_loss(self.labels, self.probabilities), 6),
            macro_f1=round(float(macro_f1(counts)), 6),
            epoch=self.epoch,
            seconds=round(self.seconds, 3),
        )


@dataclass(frozen=True)
class CrossValidation:
    """Finished folds. `folder` has folds.csv, folds.json, out_of_fold.npz and recipe.toml."""

    folder: Path
    recipe: Recipe
    rows: tuple[FoldRow, ...]
    accuracy: Estimate
    """Its mean over folds, with the corrected interval of `mean_over_folds`."""
    pooled: Evaluation
    """All out-of-fold answers judged together: Wilson's interval of their accuracy."""

    def mean(self, metric: str) -> float:
        """Of accuracy, log_loss or macro_f1 over folds, each counting the same."""
        return float(np.mean([getattr(row, metric) for row in self.rows]))

    def deviation(self, metric: str) -> float:
        """The sample standard deviation of accuracy, log_loss or macro_f1 over folds."""
        return float(np.std([getattr(row, metric) for row in self.rows], ddof=1))

    def as_json(self) -> dict[str, object]:
        """What folds.json holds of them."""
        return {
            "folds": len(self.rows),
            "mean": {metric: self.mean(metric) for metric in METRICS},
            "standard_deviation": {metric: self.deviation(metric) for metric in METRICS},
            "accuracy": {**self.accuracy.as_json(), "interval": INTERVAL},
            "pooled": self.pooled.as_json(detailed=True),
            "rows": [asdict(row) for row in self.rows],
        }


def judge_folds(folder: Path, recipe: Recipe, classes: tuple[str, ...], parts: Sequence[FoldResult]) -> CrossValidation:
    """Judge all parts of a data set."""
    rows = tuple(part.row for part in parts)
    labels = np.concatenate([part.labels for part in parts])
    probabilities = np.concatenate([part.probabilities for part in parts])
    interval = mean_over_folds([row.accuracy for row in rows], held_out=1 / (len(rows) - 1))
    return CrossValidation(folder, recipe, rows, interval, judge(labels, probabilities, classes))


def write_results(found: CrossValidation, parts: Sequence[FoldResult], dataset: Dataset, closed: int) -> None:
    """Write folds.csv, out_of_fold.npz and folds.json, each whole or not at all; `closed` counts the test images."""
    atomic_write(found.folder / "folds.csv", _csv(found.rows))
    atomic_write(found.folder / "out_of_fold.npz", out_of_fold(parts, dataset.classes))
    facts = {"dataset": dataset.name, "pictures": found.pooled.n, "test_pictures_left_alone": closed}
    atomic_write(found.folder / "folds.json", json.dumps({**facts, **found.as_json()}, indent=2) + "\n")


def out_of_fold(parts: Sequence[FoldResult], classes: Sequence[str]) -> bytes:
    """An .npz without pickle, a row an image: digests <U64, labels and fold int32, probabilities float32; classes."""
    content = io.BytesIO()
    np.savez(
        content,
        digests=np.concatenate([np.array(part.digests) for part in parts]),
        labels=np.concatenate([part.labels for part in parts]).astype(np.int32),
        fold=np.concatenate([np.full(len(part.labels), part.fold, np.int32) for part in parts]),
        probabilities=np.concatenate([part.probabilities for part in parts]).astype(np.float32),
        classes=np.array(classes),
    )
    return content.getvalue()


def _csv(rows: Sequence[FoldRow]) -> str:
    return csv_text([field.name for field in fields(FoldRow)], map(astuple, rows))
