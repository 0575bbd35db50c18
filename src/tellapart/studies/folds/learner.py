"""Learners: what trains on all images but those of a fold and predicts the images of the fold."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from tellapart.data.dataset import Dataset
from tellapart.data.images import Images
from tellapart.training.fitting.checkpoints import History


@dataclass(frozen=True)
class FoldPrediction:
    """Probabilities of the held-out images, float32 (n, classes), and the chosen epoch, from 1, of the last stage.

    `histories` are the epochs of each stage.
    """

    probabilities: NDArray[np.float32]
    epoch: int | None
    histories: tuple[History, ...] = ()


class Learner(Protocol):
    """Trains on some images of a data set and predicts others. Lives for all folds, and computes once what they share.

    There is one for estimators and one for networks.
    """

    @property
    def dataset(self) -> Dataset:
        """The readable images, all in `train`; the others are in `skipped`."""

    def learn(self, dataset: Dataset, held_out: Images, folder: Path, /) -> FoldPrediction:
        """Train on the splits `train` and, where there is one, `validation`, and predict the held-out images.

        `folder` keeps checkpoints: a second call with the same arguments resumes from them.
        """


def rows_by_digest(dataset: Dataset) -> Mapping[str, int]:
    """Map each content hash in `train` to a row that has it; duplicates share one."""
    return {digest: row for row, digest in enumerate(dataset.splits["train"].images.digests)}


def rows_of(rows: Mapping[str, int], images: Images) -> NDArray[np.intp]:
    """Return the row of each image: int (n,)."""
    return np.array([rows[digest] for digest in images.digests], dtype=np.intp)
