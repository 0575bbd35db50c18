"""Single images of an evaluation: mistakes, and a table for pandas."""

import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.errors import MissingPackageError

Labels = NDArray[np.int64]
Probs = NDArray[np.floating]
Frame = Any
"""A pandas.DataFrame; pandas is imported only where it is asked for."""


@dataclass(frozen=True)
class Mistake:
    """An image that is predicted as another class than its label; probabilities in [0, 1]."""

    index: int
    """Its row in the evaluation's `labels`, `probs` and `paths`."""
    path: str | None
    """Its file or other name; None where the evaluation has no paths."""
    true: str
    predicted: str
    probability: float
    """The probability of the predicted class."""
    true_probability: float
    """The probability of the true class."""


def find_mistakes(
    labels: Labels, probs: Probs, classes: Sequence[str], paths: Sequence[str] | None
) -> tuple[Mistake, ...]:
    """Find the incorrectly predicted images, the most confident first, equal ones in their order.

    `labels` int64 (n,), `probs` float (n, k).
    """
    predicted = probs.argmax(axis=1)
    wrong = np.flatnonzero(predicted != labels)
    confidence = probs[wrong, predicted[wrong]]
    rows = wrong[np.argsort(-confidence, kind="stable")].tolist()
    return tuple(
        Mistake(
            index=row,
            path=None if paths is None else paths[row],
            true=classes[labels[row]],
            predicted=classes[predicted[row]],
            probability=float(probs[row, predicted[row]]),
            true_probability=float(probs[row, labels[row]]),
        )
        for row in rows
    )


def to_frame(labels: Labels, probs: Probs, classes: Sequence[str], paths: Sequence[str] | None) -> Frame:
    """Make a pandas DataFrame with a row for each image. Raises MissingPackageError without pandas."""
    pandas = _pandas()
    predicted = probs.argmax(axis=1)
    names = np.array(classes, dtype=object)
    columns = {
        "path": [None] * len(labels) if paths is None else list(paths),
        "true": names[labels],
        "predicted": names[predicted],
        "probability": probs.max(axis=1),
        "correct": predicted == labels,
    }
    table = pandas.DataFrame(columns)
    # Beside each other, since a class may be called path.
    return pandas.concat([table, pandas.DataFrame(probs, columns=list(classes))], axis=1)


def _pandas() -> ModuleType:
    try:
        return importlib.import_module("pandas")
    except ModuleNotFoundError as error:
        raise MissingPackageError(
            "to_frame makes a pandas DataFrame, and pandas is not installed: pip install pandas, or use labels, probs, "
            "paths and mistakes as they are"
        ) from error
