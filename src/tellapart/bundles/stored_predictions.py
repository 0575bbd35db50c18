"""Predictions of a run for each image of a split, stored in the run for reports and comparisons."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.data.images import Images
from tellapart.errors import RunError
from tellapart.files import atomic_write
from tellapart.read_files import ContentError, read_arrays

FOLDER = "answers"
Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class StoredPredictions:
    """Name, SHA-256, label and probabilities of each readable image.

    `labels` int32 (n,), `probs` float32 (n, classes), as predicted by the bundle. `groups` names for each image what it
    belongs to, see `grouping.group_names`; None where it is unknown.
    """

    names: tuple[str, ...]
    digests: tuple[str, ...]
    labels: NDArray[np.int32]
    probs: NDArray[np.float32]
    groups: tuple[str, ...] | None = None

    @cached_property
    def predicted(self) -> NDArray[np.intp]:
        """The predicted class of each image, int (n,)."""
        predicted: NDArray[np.intp] = self.probs.argmax(axis=1)
        return predicted

    def take(self, indices: Sequence[int]) -> "StoredPredictions":
        """Select images by index, in the given order."""
        rows = np.asarray(indices, dtype=np.intp)
        names, digests = (tuple(column[i] for i in indices) for column in (self.names, self.digests))
        groups = None if self.groups is None else tuple(self.groups[i] for i in indices)
        return StoredPredictions(names, digests, self.labels[rows], self.probs[rows], groups)


def predict_split(
    images: Images,
    labels: NDArray[np.int32],
    probs: NDArray[np.float32],
    groups: tuple[str, ...] | None = None,
) -> StoredPredictions:
    """Combine images, labels, probabilities and groups."""
    names = tuple(images.name(index) for index in range(len(images)))
    return StoredPredictions(names, images.digests, labels, probs, groups)


def write_predictions(run: Path, split: str, predictions: StoredPredictions) -> None:
    """Write predictions to a run's folder. Raises StorageError."""
    stream = io.BytesIO()
    names = np.array([name.encode(errors="surrogateescape") for name in predictions.names])
    digests = np.array([digest.encode() for digest in predictions.digests])
    save = partial(
        np.savez_compressed, stream, names=names, digests=digests, labels=predictions.labels, probs=predictions.probs
    )
    if predictions.groups is None:
        save()
    else:
        save(groups=np.array([name.encode(errors="surrogateescape") for name in predictions.groups]))
    atomic_write(_path(run, split), stream.getvalue())


def read_predictions(run: Path, split: str) -> StoredPredictions | None:
    """Read predictions from a run's folder; None if the split was not evaluated. Raises RunError."""
    path = _path(run, split)
    if not path.exists():
        return None
    try:
        arrays = read_arrays(path)
        names, digests, labels, probs = (arrays[name] for name in ("names", "digests", "labels", "probs"))
        groups = arrays.get("groups")
        if not _is_table(names, digests, labels, probs) or not _is_column(groups, len(names)):
            raise ContentError("its arrays do not belong together")
        return StoredPredictions(
            _decoded(names),
            tuple(digest.decode() for digest in digests.tolist()),
            labels,
            probs,
            None if groups is None else _decoded(groups),
        )
    except (OSError, ValueError, KeyError) as error:
        raise RunError(f"{path} cannot be read ({error}): copy the run again, or train it again") from error


def _decoded(names: Array) -> tuple[str, ...]:
    return tuple(name.decode(errors="surrogateescape") for name in names.tolist())


def _is_column(groups: Array | None, n: int) -> bool:
    """Return True if there are no groups, or a name for each image."""
    return groups is None or (groups.shape == (n,) and (not n or groups.dtype.kind == "S"))


def _is_table(names: Array, digests: Array, labels: Array, probs: Array) -> bool:
    """Return True if each has a row for every image, and the labels are columns of the finite probabilities."""
    if [column.ndim for column in (names, digests, labels, probs)] != [1, 1, 1, 2]:
        return False
    if len({len(names), len(digests), len(labels), len(probs)}) != 1:
        return False
    kinds = "".join(array.dtype.kind for array in (names, digests, labels, probs))
    if len(names) and kinds != "SSif":  # NumPy gives empty lists another type
        return False
    return bool(((labels >= 0) & (labels < probs.shape[1])).all() and np.isfinite(probs).all())


def _path(run: Path, split: str) -> Path:
    return run / FOLDER / f"{split}.npz"
