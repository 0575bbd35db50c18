"""Predictions of a run for each image of a split, stored in the run for reports and comparisons."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tellapart.data.images import Images
from tellapart.errors import RunError
from tellapart.files import UNREADABLE, atomic_write

FOLDER = "answers"


@dataclass(frozen=True, eq=False)
class StoredPredictions:
    """Name, SHA-256, label and probabilities of each readable image.

    `labels` int32 (n,), `probs` float32 (n, classes), as predicted by the bundle.
    """

    names: tuple[str, ...]
    digests: tuple[str, ...]
    labels: NDArray[np.int32]
    probs: NDArray[np.float32]

    @cached_property
    def predicted(self) -> NDArray[np.intp]:
        """The predicted class of each image, int (n,)."""
        predicted: NDArray[np.intp] = self.probs.argmax(axis=1)
        return predicted

    def take(self, indices: Sequence[int]) -> "StoredPredictions":
        """Select images by index, in the given order."""
        rows = np.asarray(indices, dtype=np.intp)
        names, digests = (tuple(column[i] for i in indices) for column in (self.names, self.digests))
        return StoredPredictions(names, digests, self.labels[rows], self.probs[rows])


def predict_split(images: Images, labels: NDArray[np.int32], probs: NDArray[np.float32]) -> StoredPredictions:
    """Combine images, labels and probabilities."""
    names = tuple(images.name(index) for index in range(len(images)))
    return StoredPredictions(names, images.digests, labels, probs)


def write_predictions(run: Path, split: str, predictions: StoredPredictions) -> None:
    """Write predictions to a run's folder. Raises StorageError."""
    stream = io.BytesIO()
    names = np.array([name.encode(errors="surrogateescape") for name in predictions.names])
    digests = np.array([digest.encode() for digest in predictions.digests])
    np.savez_compressed(stream, names=names, digests=digests, labels=predictions.labels, probs=predictions.probs)
    atomic_write(_path(run, split), stream.getvalue())


def read_predictions(run: Path, split: str) -> StoredPredictions | None:
    """Read predictions from a run's folder; None if the split was not evaluated. Raises RunError."""
    path = _path(run, split)
    if not path.exists():
        return None
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            names, digests = archive["names"].tolist(), archive["digests"].tolist()
            return StoredPredictions(
                tuple(name.decode(errors="surrogateescape") for name in names),
                tuple(digest.decode() for digest in digests),
                archive["labels"],
                archive["probs"],
            )
    except UNREADABLE as error:
        raise RunError(f"{path} cannot be read ({error}): copy the run again, or train it again") from error


def _path(run: Path, split: str) -> Path:
    return run / FOLDER / f"{split}.npz"
