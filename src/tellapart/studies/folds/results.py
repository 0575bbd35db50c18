"""Results of a cross-validation: a row per fold, mean and spread, and the out-of-fold probabilities of all images."""

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tellapart.data.dataset import Dataset, Labels
from tellapart.data.splits.grouping import group_names
from tellapart.files import atomic_write, csv_text
from tellapart.judging.confusion import confusion_matrix
from tellapart.judging.evaluation import Evaluation, judge
from tellapart.judging.intervals import Estimate, mean_over_folds
from tellapart.judging.metrics import accuracy, log_loss, macro_f1
from tellapart.recipe import Recipe
from tellapart.training.training_warnings import TrainingWarning

METRICS = ("accuracy", "log_loss", "macro_f1")
INTERVAL = "Student's t over folds, variance corrected for shared training images (Nadeau & Bengio 2003)"


@dataclass(frozen=True)
class FoldRow:
    """A row of folds.csv: the metrics of a fold of `n` images.

    `epoch` is the chosen one, None where there are none; `groups` is the number of groups, left out where unknown.
    """

    fold: int
    n: int
    accuracy: float
    log_loss: float
    macro_f1: float
    epoch: int | None
    seconds: float
    groups: int | None = None

    def as_dict(self) -> dict[str, object]:
        """Return the columns of the row."""
        return {name: value for name, value in asdict(self).items() if name != "groups" or value is not None}


@dataclass(frozen=True, eq=False)
class FoldResult:
    """The result of a fold: content hashes (n), labels int32 (n,), probabilities float32 (n, classes)."""

    fold: int
    digests: tuple[str, ...]
    labels: Labels
    probabilities: NDArray[np.float32]
    epoch: int | None
    seconds: float
    warnings: tuple[TrainingWarning, ...] = ()

    @cached_property
    def row(self) -> FoldRow:
        """The row of folds.csv."""
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
    """A finished cross-validation. Its folder has folds.csv, folds.json, out_of_fold.npz and recipe.toml."""

    folder: Path
    recipe: Recipe
    rows: tuple[FoldRow, ...]
    accuracy: Estimate
    """Mean over folds, with the corrected interval of `mean_over_folds`."""
    pooled: Evaluation
    """All out-of-fold predictions judged together, with Wilson's interval of their accuracy."""

    warnings: Mapping[int, tuple[TrainingWarning, ...]] = field(default_factory=dict)
    """Reasons to distrust what was trained, by the number of the fold; folds without are left out."""

    def mean(self, metric: str) -> float:
        """Return the unweighted mean over folds of accuracy, log_loss or macro_f1."""
        return float(np.mean([getattr(row, metric) for row in self.rows]))

    def deviation(self, metric: str) -> float:
        """Return the sample standard deviation over folds of accuracy, log_loss or macro_f1."""
        return float(np.std([getattr(row, metric) for row in self.rows], ddof=1))

    def as_json(self) -> dict[str, object]:
        """Return the content of folds.json about the folds."""
        return {
            "folds": len(self.rows),
            "mean": {metric: self.mean(metric) for metric in METRICS},
            "standard_deviation": {metric: self.deviation(metric) for metric in METRICS},
            "accuracy": {**self.accuracy.as_json(), "interval": INTERVAL},
            "pooled": self.pooled.as_json(detailed=True),
            "rows": [row.as_dict() for row in self.rows],
            "warnings": [
                {"fold": fold, **warning.as_json()} for fold, reasons in self.warnings.items() for warning in reasons
            ],
        }


def judge_folds(folder: Path, recipe: Recipe, dataset: Dataset, results: Sequence[FoldResult]) -> CrossValidation:
    """Judge the results of all folds of a data set. No fold divides a group, so that their spread is that of groups."""
    groups = _groups(dataset, results)
    ends = np.cumsum([len(result.labels) for result in results]).tolist()
    rows = tuple(
        result.row if groups is None else replace(result.row, groups=len({*groups[end - len(result.labels) : end]}))
        for end, result in zip(ends, results, strict=True)
    )
    labels = np.concatenate([result.labels for result in results])
    probabilities = np.concatenate([result.probabilities for result in results])
    interval = mean_over_folds([row.accuracy for row in rows], held_out=1 / (len(rows) - 1))
    pooled = judge(labels, probabilities, dataset.classes, groups=groups)
    warnings = {result.fold: result.warnings for result in results if result.warnings}
    return CrossValidation(folder, recipe, rows, interval, pooled, warnings)


def _groups(dataset: Dataset, results: Sequence[FoldResult]) -> tuple[str, ...] | None:
    """The group of each predicted image, in the order of the results."""
    split = dataset.splits["train"]
    names = group_names(split, dataset.families)
    if names is None:
        return None
    by_content = dict(zip(split.images.digests, names, strict=True))
    return tuple(by_content[digest] for result in results for digest in result.digests)


def write_results(
    validation: CrossValidation, results: Sequence[FoldResult], dataset: Dataset, test_count: int
) -> None:
    """Write folds.csv, out_of_fold.npz and folds.json; `test_count` test images were left out."""
    atomic_write(validation.folder / "folds.csv", _csv(validation.rows))
    atomic_write(validation.folder / "out_of_fold.npz", out_of_fold(results, dataset.classes))
    about = {"dataset": dataset.name, "pictures": validation.pooled.n, "test_pictures_left_alone": test_count}
    atomic_write(validation.folder / "folds.json", json.dumps({**about, **validation.as_json()}, indent=2) + "\n")


def out_of_fold(results: Sequence[FoldResult], classes: Sequence[str]) -> bytes:
    """Make an .npz without pickle, a row per image: digests <U64, labels and fold int32, probabilities float32."""
    content = io.BytesIO()
    np.savez(
        content,
        digests=np.concatenate([np.array(result.digests) for result in results]),
        labels=np.concatenate([result.labels for result in results]).astype(np.int32),
        fold=np.concatenate([np.full(len(result.labels), result.fold, np.int32) for result in results]),
        probabilities=np.concatenate([result.probabilities for result in results]).astype(np.float32),
        classes=np.array(classes),
    )
    return content.getvalue()


def _csv(rows: Sequence[FoldRow]) -> str:
    columns = [row.as_dict() for row in rows]
    return csv_text(list(columns[0]), (tuple(column.values()) for column in columns))
