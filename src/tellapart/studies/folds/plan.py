"""The plan of a cross-validation: everything that can be checked and settled before an image is decoded."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tellapart.checking.near_duplicates import with_duplicate_families
from tellapart.data.dataset import Dataset
from tellapart.data.splits.draw_splits import draw_splits, require_classes, validation_share, with_validation_in_train
from tellapart.data.splits.folds import folds as draw_folds
from tellapart.errors import RecipeError
from tellapart.models.catalogue import lookup
from tellapart.models.resolved_recipe import NetworkRecipe, ResolvedRecipe, resolve
from tellapart.recipe import Recipe
from tellapart.training.prepare import with_model

MAX_FOLDS = 1_000


@dataclass(frozen=True)
class FoldPlan:
    """The images of all folds, in `train`, the only split; the recipe; and how the images are divided."""

    dataset: Dataset
    recipe: ResolvedRecipe
    parts: tuple[NDArray[np.intp], ...]
    """The images of each fold, as indices into `train`."""
    test_count: int
    """How many test images are left out."""

    @property
    def summary(self) -> str:
        """The plan as a sentence."""
        count, images, share = len(self.parts), len(self.dataset.splits["train"]), self.recipe.validation
        choosing = ""
        if share and isinstance(self.recipe, NetworkRecipe):
            choosing = f"; {share:.0%} of the others choose the epoch"
        test = f"{self.test_count:,} test images are not used" if self.test_count else "there are no test images"
        return (
            f"{self.dataset.name}: {count} folds of {images:,} images, about {images / count:,.0f} judged in each"
            f"{choosing}; {test}"
        )


def plan_folds(dataset: Dataset, recipe: Recipe, count: int) -> FoldPlan:
    """Check the recipe and divide the images into `count` folds. Raises RecipeError or DatasetError."""
    if not 2 <= count <= MAX_FOLDS:
        raise RecipeError(f"folds is {count}; expected 2 to {MAX_FOLDS:,}, such as --folds 5")
    recipe = with_model(dataset, recipe)
    resolve(replace(recipe, validation=recipe.validation or 0.0), own_size=dataset.own_size)  # raises what is wrong
    dataset = draw_splits(with_duplicate_families(dataset), validation=0.0, test=recipe.test, seed=recipe.split_seed)
    test_count = len(dataset.splits["test"]) if "test" in dataset.splits else 0
    if "validation" in dataset.splits:
        dataset = with_validation_in_train(dataset)
    pool = replace(dataset, splits={"train": dataset.splits["train"]})
    require_classes(pool)
    parts = draw_folds(pool.splits["train"], count, recipe.split_seed, pool.families, classes=pool.classes)
    recipe = replace(recipe, validation=_validation_share(pool, recipe, parts))
    return FoldPlan(pool, resolve(recipe, own_size=dataset.own_size), parts, test_count)


def _validation_share(pool: Dataset, recipe: Recipe, parts: Sequence[NDArray[np.intp]]) -> float:
    """Return the share of the images outside a fold that choose the epoch; 0 for an estimator, which has none."""
    if recipe.validation is not None:
        return recipe.validation
    outside = pool.splits["train"].take(np.concatenate(parts[1:]).tolist())
    return 0.0 if lookup(recipe.model).estimator else validation_share(replace(pool, splits={"train": outside}))
