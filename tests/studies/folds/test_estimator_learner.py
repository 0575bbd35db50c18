"""A fold predicts what a run on the same images predicts, with the same temperature."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tellapart.bundles.stored_predictions import read_predictions
from tellapart.data.dataset import Dataset
from tellapart.data.splits.draw_splits import draw_splits
from tellapart.models.resolved_recipe import resolve
from tellapart.recipe import Recipe
from tellapart.studies.folds.cross_validate import make_learner
from tellapart.training.run import train

RECIPES = {
    "mlp": Recipe(model="mlp", size=20, epochs=3, batch_size=8, precision="float32"),
    "logistic": Recipe(model="logistic", features="pixels", size=20, precision="float32"),
    "knn": Recipe(model="knn", features="pixels", size=20, precision="float32"),
    "forest": Recipe(model="forest", features="pixels", size=20, trees=5, precision="float32"),
}


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory, coloured: Callable[..., Path]) -> Dataset:
    """Some labels are wrong, so that a classifier may be overconfident."""
    folder = coloured(tmp_path_factory.mktemp("data") / "colours", each=30, seed=6)
    for number in range(0, 30, 6):
        (folder / "red" / f"{number:02}.png").rename(folder / "blue" / f"wrong-{number:02}.png")
    return Dataset.open(folder)


@pytest.mark.parametrize("validated", [True, False])
@pytest.mark.parametrize("name", RECIPES)
def test_a_fold_is_trained_and_calibrated_like_a_run(
    name: str, validated: bool, images: Dataset, tmp_path: Path
) -> None:
    recipe = replace(RECIPES[name], validation=0.3 if validated else 0.0, test=0.3)
    dataset = draw_splits(images, validation=recipe.validation or 0, test=0.3, seed=0)
    run = train(images, recipe, out=tmp_path / "run")
    kept = read_predictions(run.folder, "test")
    assert kept is not None
    assert (run.bundle.manifest.calibration is not None) == (validated and name in ("mlp", "logistic"))
    pool = replace(images, splits={"train": images.splits["all"]})
    learner = make_learner(pool, resolve(run.recipe, own_size=None))
    inner = replace(dataset, splits={part: split for part, split in dataset.splits.items() if part != "test"})
    learned = learner.learn(inner, dataset.splits["test"].images, tmp_path / "fold")
    np.testing.assert_allclose(learned.probabilities, kept.probs, atol=1e-5)
