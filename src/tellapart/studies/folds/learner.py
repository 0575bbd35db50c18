"""Learners: what trains on all images but those of a fold and predicts the images of the fold."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from tellapart.data.dataset import Dataset, Split
from tellapart.data.images import Images
from tellapart.files import cache_folder
from tellapart.judging.calibration import apply_temperature
from tellapart.models.classical.estimators import Estimator, Vectors
from tellapart.models.classical.fit import estimator_probabilities, fit_estimator
from tellapart.models.resolved_recipe import EstimatorRecipe, NetworkRecipe
from tellapart.training.estimator_run import vector_source
from tellapart.training.final_evaluation import temperature_of
from tellapart.training.fitting.examples import Array, Chosen, Examples, Rows
from tellapart.training.fitting.fit import fit
from tellapart.training.fitting.loop import seed_everything
from tellapart.training.prepare import drop_unreadable, preprocessing_for
from tellapart.training.task_predictions import task_predictions
from tellapart.training.tasks import StageWeights, Task, make_task


@dataclass(frozen=True)
class FoldPrediction:
    """Probabilities of the held-out images, float32 (n, classes), and the chosen epoch, from 1, of the last stage."""

    probabilities: NDArray[np.float32]
    epoch: int | None


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


class EstimatorLearner:
    """Fits an estimator in each fold. Keeps the vectors of all images in memory."""

    def __init__(self, dataset: Dataset, recipe: EstimatorRecipe) -> None:
        self._recipe = recipe
        vectors = vector_source(dataset, recipe).vectors(dataset.splits["train"].images, "all folds")
        self._dataset = drop_unreadable(dataset, "train", vectors.kept, vectors.skipped)
        self._vectors = vectors.values
        self._rows = rows_by_digest(self._dataset)

    @property
    def dataset(self) -> Dataset:
        """See Learner."""
        return self._dataset

    def learn(self, dataset: Dataset, held_out: Images, _: Path, /) -> FoldPrediction:
        """Fit on `train`. Nothing is chosen on validation; it only calibrates, as in a run."""
        split = dataset.splits["train"]
        vectors = self._vectors[rows_of(self._rows, split.images)]
        estimator = fit_estimator(self._recipe, vectors, split.labels, len(dataset.classes))
        probs = self._predict(estimator, held_out)
        if self._recipe.model == "logistic" and "validation" in dataset.splits:
            validation = dataset.splits["validation"]
            validation_probs = self._predict(estimator, validation.images)
            probs = apply_temperature(probs, temperature_of(validation.labels, validation_probs))
        return FoldPrediction(probs, None)

    def _predict(self, estimator: Estimator, images: Images) -> Vectors:
        return estimator_probabilities(estimator, self._vectors[rows_of(self._rows, images)], label="judging the fold")


@dataclass(frozen=True)
class SelectedRows:
    """A selection of rows, read on access."""

    rows: Rows
    indices: NDArray[np.intp]

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, rows: Chosen, /) -> Array:
        return self.rows[self.indices[rows]]


class NetworkLearner:
    """Trains a network in each fold. Keeps the frozen backbone, if there is one, and the features of all images."""

    def __init__(self, dataset: Dataset, recipe: NetworkRecipe) -> None:
        self._stages = recipe.stages()
        self._all = self._make_task(dataset, self._stages[0], None)
        self._rows = rows_by_digest(self.dataset)

    @property
    def dataset(self) -> Dataset:
        """See Learner."""
        return self._all.dataset

    def learn(self, dataset: Dataset, held_out: Images, folder: Path, /) -> FoldPrediction:
        """Train all stages, as a run does, and predict with the weights of the best epoch of the last one."""
        seed_everything(self._stages[0].seed)
        start: StageWeights | None = None
        for number, stage in enumerate(self._stages, start=1):
            shared = start is None and self._can_share
            task = self._shared_task(dataset) if shared else self._make_task(dataset, stage, start)
            _, best = fit(task.network, stage, task.train, task.validation, folder=folder / f"stage-{number}")
            start = task.weights() if number < len(self._stages) else None
        return FoldPrediction(_predict(task, dataset, held_out), best)

    @cached_property
    def _can_share(self) -> bool:
        """Return True if all folds may share the backbone: not if a later stage trains its layers further."""
        return len(self._stages) == 1 or self._all.backbone.trainable is None

    def _make_task(self, dataset: Dataset, stage: NetworkRecipe, start: StageWeights | None) -> Task:
        return make_task(dataset, stage, preprocessing_for(dataset, stage), cache=cache_folder(), previous=start)

    def _shared_task(self, dataset: Dataset) -> Task:
        """Build the task that `make_task` would, from the backbone and the features of all images."""
        shared, splits = self._all, dataset.splits
        network = shared.backbone.new_network(shared.recipe, shared.preprocessing.channels, len(dataset.classes))
        views = len(shared.train) // len(self._pool)
        train = self._examples(splits["train"], views)
        validation = self._examples(splits["validation"], 1) if "validation" in splits else None
        return replace(shared, network=network, train=train, validation=validation, dataset=dataset)

    def _examples(self, split: Split, views: int) -> Examples:
        """Select the examples of a split: its images, then one augmented view after the other of all of them."""
        count, rows = len(self._pool), rows_of(self._rows, split.images)
        indices = np.concatenate([rows + view * count for view in range(views)])
        return Examples(SelectedRows(self._all.train.inputs, indices), np.tile(split.labels, views))

    @property
    def _pool(self) -> Split:
        return self.dataset.splits["train"]


def _predict(task: Task, dataset: Dataset, held_out: Images) -> NDArray[np.float32]:
    """Predict the held-out images as a run's bundle would: calibrated on validation, if there is any."""
    probs = task_predictions(task, held_out, label="judging the fold").values
    if "validation" not in dataset.splits:
        return probs
    validation = dataset.splits["validation"]
    predicted = task_predictions(task, validation.images, label="calibrating the fold")
    return apply_temperature(probs, temperature_of(validation.labels[list(predicted.kept)], predicted.values))
