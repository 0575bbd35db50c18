"""Networks fold after fold: the base is built once, its features are computed once, and rows of them are taken."""

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tellapart.data.dataset import Dataset, Images, Split
from tellapart.files import cache_folder
from tellapart.judging.calibration import apply_temperature
from tellapart.models.resolved_recipe import NetworkRecipe
from tellapart.studies.folds.learners import FoldPrediction, rows_by_digest, rows_of
from tellapart.training.examples import Array, Chosen, Examples, Rows
from tellapart.training.final_evaluation import temperature_of
from tellapart.training.fit import fit
from tellapart.training.loop import repeatable
from tellapart.training.prepare import preprocessing_for
from tellapart.training.task_predictions import task_predictions
from tellapart.training.tasks import Start, Task, make_task


@dataclass(frozen=True)
class SelectedRows:
    """Some rows of others, read when they are asked for."""

    rows: Rows
    indices: NDArray[np.intp]

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, rows: Chosen, /) -> Array:
        return self.rows[self.indices[rows]]


class NetworkLearner:
    """Trains a network in each fold. Holds the frozen base, if there is one, and what all images are to it."""

    def __init__(self, dataset: Dataset, recipe: NetworkRecipe) -> None:
        self._stages = recipe.stages()
        self._all = self._made(dataset, self._stages[0], None)
        self._rows = rows_by_digest(self.dataset)

    @property
    def dataset(self) -> Dataset:
        """See Learner."""
        return self._all.dataset

    def learn(self, dataset: Dataset, held: Images, folder: Path, /) -> FoldPrediction:
        """Train stage after stage, as a run does, and answer with the weights of the last one's best epoch."""
        repeatable(self._stages[0].seed)
        start: Start | None = None
        for number, stage in enumerate(self._stages, start=1):
            shared = start is None and self._sharable
            task = self._shared(dataset) if shared else self._made(dataset, stage, start)
            _, best = fit(task.network, stage, task.train, task.validation, folder=folder / f"stage-{number}")
            start = task.end() if number < len(self._stages) else None
        return FoldPrediction(_calibrated(task, dataset, held), best)

    @cached_property
    def _sharable(self) -> bool:
        """Whether every fold may start from the same base: not where its layers go on to a further stage."""
        return len(self._stages) == 1 or self._all.standing.unfrozen is None

    def _made(self, dataset: Dataset, stage: NetworkRecipe, start: Start | None) -> Task:
        return make_task(dataset, stage, preprocessing_for(dataset, stage), cache=cache_folder(), start=start)

    def _shared(self, dataset: Dataset) -> Task:
        """A task as `make_task` has it, on what is there already."""
        every, splits = self._all, dataset.splits
        network = every.standing.network(every.recipe, every.preprocessing.channels, len(dataset.classes))
        views = len(every.train) // len(self._pool)
        train = self._examples(splits["train"], views)
        validation = self._examples(splits["validation"], 1) if "validation" in splits else None
        return replace(every, network=network, train=train, validation=validation, dataset=dataset)

    def _examples(self, split: Split, views: int) -> Examples:
        """The examples of a split: its images, then the views of all of them, one after the other."""
        count, rows = len(self._pool), rows_of(self._rows, split.images)
        every = np.concatenate([rows + view * count for view in range(views)])
        return Examples(SelectedRows(self._all.train.inputs, every), np.tile(split.labels, views))

    @property
    def _pool(self) -> Split:
        return self.dataset.splits["train"]


def _calibrated(task: Task, dataset: Dataset, held: Images) -> NDArray[np.float32]:
    """What a run's bundle would say of the held-out images: at the temperature that its validation asks for."""
    probs = task_predictions(task, held, label="judging the fold").values
    if "validation" not in dataset.splits:
        return probs
    validation = dataset.splits["validation"]
    said = task_predictions(task, validation.images, label="calibrating the fold")
    return apply_temperature(probs, temperature_of(validation.labels[list(said.kept)], said.values))
