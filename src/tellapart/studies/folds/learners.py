"""How one fold is learned from and judged: what can be done once for all folds is."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from tellapart.data.dataset import Dataset, Images
from tellapart.judging.calibration import apply_temperature
from tellapart.models.classical.estimators import Estimator, Vectors
from tellapart.models.classical.fit import estimator_probabilities, fit_estimator
from tellapart.models.resolved_recipe import EstimatorRecipe, ResolvedRecipe
from tellapart.training.classical import source_of
from tellapart.training.final_evaluation import temperature_of
from tellapart.training.prepare import drop_unreadable


@dataclass(frozen=True)
class FoldPrediction:
    """Probabilities of the images held out, float32 (n, classes), and the epoch chosen, from 1, of the last stage."""

    probabilities: NDArray[np.float32]
    epoch: int | None


class Learner(Protocol):
    """Learns from some of its images, and answers for others. Lives for all folds of a data set."""

    @property
    def dataset(self) -> Dataset:
        """The images that can be read, all in `train`; the others are among its `skipped`."""

    def learn(self, dataset: Dataset, held: Images, folder: Path, /) -> FoldPrediction:
        """Train on a part of the images, `train` and where there is one `validation`, and answer for others.

        `folder` keeps checkpoints: a second call with the same goes on from there.
        """


def make_learner(dataset: Dataset, recipe: ResolvedRecipe) -> Learner:
    """What learns by a settled recipe from a data set's `train`. Raises WeightsError."""
    if isinstance(recipe, EstimatorRecipe):
        return EstimatorLearner(dataset, recipe)
    from tellapart.backend import load_keras

    load_keras()
    from tellapart.studies.folds.network_learner import NetworkLearner

    return NetworkLearner(dataset, recipe)


class EstimatorLearner:
    """Fits knn, forest or logistic in each fold. Holds the vectors of all images."""

    def __init__(self, dataset: Dataset, recipe: EstimatorRecipe) -> None:
        self._recipe = recipe
        found = source_of(dataset, recipe).vectors(dataset.splits["train"].images, "all folds")
        self._dataset = drop_unreadable(dataset, "train", found.kept, found.skipped)
        self._vectors = found.values
        self._rows = rows_by_digest(self._dataset)

    @property
    def dataset(self) -> Dataset:
        """See Learner."""
        return self._dataset

    def learn(self, dataset: Dataset, held: Images, _: Path, /) -> FoldPrediction:
        """Fit on `train`; there is nothing to choose, so validation only calibrates, where a run does so too."""
        split = dataset.splits["train"]
        vectors = self._vectors[rows_of(self._rows, split.images)]
        estimator = fit_estimator(self._recipe, vectors, split.labels, len(dataset.classes))
        probs = self._answers(estimator, held)
        if self._recipe.model == "logistic" and "validation" in dataset.splits:
            validation = dataset.splits["validation"]
            said = self._answers(estimator, validation.images)
            probs = apply_temperature(probs, temperature_of(validation.labels, said))
        return FoldPrediction(probs, None)

    def _answers(self, estimator: Estimator, images: Images) -> Vectors:
        return estimator_probabilities(estimator, self._vectors[rows_of(self._rows, images)], label="judging the fold")


def rows_by_digest(dataset: Dataset) -> Mapping[str, int]:
    """For each content hash in `train` a row that has it: copies are alike."""
    return {digest: row for row, digest in enumerate(dataset.splits["train"].images.digests)}


def rows_of(rows: Mapping[str, int], images: Images) -> NDArray[np.intp]:
    """Where some of the images are found: int (n,)."""
    return np.array([rows[digest] for digest in images.digests], dtype=np.intp)
