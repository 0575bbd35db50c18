"""NetworkLearner: a network trained fold by fold; the backbone and its features are computed once for all folds."""

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tellapart.data.dataset import Dataset, Split
from tellapart.data.images import Images
from tellapart.files import cache_folder
from tellapart.judging.calibration import apply_temperature
from tellapart.models.resolved_recipe import NetworkRecipe
from tellapart.studies.folds.learner import FoldPrediction, rows_by_digest, rows_of
from tellapart.training.final_evaluation import temperature_of
from tellapart.training.fitting.examples import Array, Chosen, Examples, Rows
from tellapart.training.fitting.fit import fit
from tellapart.training.fitting.loop import seed_everything
from tellapart.training.prepare import preprocessing_for
from tellapart.training.task_predictions import task_predictions
from tellapart.training.tasks import StageWeights, Task, make_task


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
        histories = []
        for number, stage in enumerate(self._stages, start=1):
            shared = start is None and self._can_share
            task = self._shared_task(dataset) if shared else self._make_task(dataset, stage, start)
            history, best = fit(task.network, stage, task.train, task.validation, folder=folder / f"stage-{number}")
            histories.append(history)
            start = task.weights() if number < len(self._stages) else None
        return FoldPrediction(_predict(task, dataset, held_out), best, tuple(histories))

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
