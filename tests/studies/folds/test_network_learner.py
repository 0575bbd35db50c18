"""Networks trained fold by fold get the same examples as a run of their own."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tellapart.data.dataset import Dataset
from tellapart.data.images import Images
from tellapart.data.pipeline import ReadableRows
from tellapart.data.splits.draw_splits import draw_splits
from tellapart.files import cache_folder
from tellapart.judging.calibration import apply_temperature
from tellapart.models.resolved_recipe import resolve_network
from tellapart.recipe import Recipe
from tellapart.studies.folds import network_learner
from tellapart.studies.folds.network_learner import NetworkLearner
from tellapart.training.final_evaluation import temperature_of
from tellapart.training.prepare import preprocessing_for
from tellapart.training.task_predictions import task_predictions
from tellapart.training.tasks import Task, make_task

BASE = Recipe(model="mobilenet", size=32, precision="float32", epochs=2, batch_size=8, validation=0.2)


pytestmark = pytest.mark.usefixtures("random_weights")


def parts(tiny: Path, recipe: Recipe) -> tuple[Dataset, Dataset, Dataset]:
    """All images; those outside a fold, divided; those in it."""
    opened = Dataset.open(tiny)
    every = opened.splits["all"]
    pool = replace(opened, splits={"train": every})
    rest = replace(opened, splits={"all": every.take([i for i in range(36) if i % 4])})
    inner = draw_splits(rest, validation=recipe.validation or 0, test=0, seed=0)
    return pool, inner, replace(opened, splits={"train": every.take(range(0, 36, 4))})


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({}, marks=pytest.mark.long),
        {"mirror": True, "augment": "rotate=20", "views": 2},
        {"unfreeze": 3},
    ],
)
def test_shared_features_equal_those_of_the_other_images_alone(changes: dict[str, object], tiny: Path) -> None:
    recipe = resolve_network(Recipe.of({**BASE.as_dict(), **changes}), own_size=None)
    pool, inner, _ = parts(tiny, recipe)
    learner = NetworkLearner(pool, recipe)
    shared = learner._shared_task(inner)
    alone = make_task(inner, recipe, preprocessing_for(inner, recipe), cache=cache_folder())
    assert shared.validation is not None
    assert alone.validation is not None
    for mine, other in ((shared.train, alone.train), (shared.validation, alone.validation)):
        assert len(mine) == len(mine.inputs) == len(other)
        np.testing.assert_array_equal(mine.labels, other.labels)
        np.testing.assert_array_equal(mine.inputs[np.arange(len(mine))], other.inputs[np.arange(len(other))])
        np.testing.assert_array_equal(mine.inputs[2:5], other.inputs[2:5])


@pytest.mark.parametrize(
    "changes",
    [
        {"mirror": True},
        {"model": "mlp", "mirror": True},
        pytest.param({"unfreeze": 3, "epochs": 1, "then": ("epochs=2",)}, marks=pytest.mark.long),
        {"then": ("unfreeze=3,epochs=1",)},
    ],
)
def test_every_kind_of_network_predicts_as_its_graph_does_and_repeats(
    changes: dict[str, object], tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = resolve_network(Recipe.of({**BASE.as_dict(), **changes}), own_size=None)
    pool, inner, fold = parts(tiny, recipe)
    finished: list[Task] = []

    def answers(task: Task, images: Images, *, label: str) -> ReadableRows:
        finished.append(task)
        return task_predictions(task, images, label=label)

    monkeypatch.setattr(network_learner, "task_predictions", answers)
    learner, held = NetworkLearner(pool, recipe), fold.splits["train"].images
    first = learner.learn(inner, held, tmp_path / "first")
    product, see = finished[0].keras_classifier(), finished[0].preprocessing

    def said(images: Images) -> NDArray[np.float32]:
        pixels = np.stack([see(images.read(i)) for i in range(len(images))])
        return np.asarray(product.predict_on_batch(pixels), np.float32)

    validation = inner.splits["validation"]
    degrees = temperature_of(validation.labels, said(validation.images))
    np.testing.assert_allclose(first.probabilities, apply_temperature(said(held), degrees), atol=2e-3)
    assert first.epoch in (1, 2)
    second = learner.learn(inner, held, tmp_path / "second")  # after another fold there is nothing left of it
    np.testing.assert_array_equal(first.probabilities, second.probabilities)
