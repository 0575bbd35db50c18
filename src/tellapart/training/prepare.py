"""Prepare a data set for training: splits, geometry, images that cannot be read. No Keras here."""

from dataclasses import replace

from tellapart.checking.duplicate_families import with_duplicate_families
from tellapart.data.dataset import Dataset, Skipped
from tellapart.data.images import ArrayImages
from tellapart.data.preprocessing import Preprocessing
from tellapart.data.splits.draw_splits import draw_splits, missing_splits, require_classes, validation_share
from tellapart.errors import RecipeError
from tellapart.models.resolved_recipe import ResolvedRecipe
from tellapart.recipe import Recipe


def draw_all_splits(dataset: Dataset, recipe: Recipe) -> tuple[Dataset, Recipe]:
    """Return the data set with all its splits, and the recipe with the share of validation used to draw them.

    Near-duplicates stay on one side. Raises DatasetError where a split lacks a class.
    """
    share = validation_share(dataset) if recipe.validation is None else recipe.validation
    if missing_splits(dataset, validation=share, test=recipe.test):
        dataset = with_duplicate_families(dataset)
    dataset = draw_splits(dataset, validation=share, test=recipe.test, seed=recipe.split_seed)
    require_classes(dataset)
    return dataset, replace(recipe, validation=share)


def draw_splits_to_compare(dataset: Dataset, recipe: Recipe) -> tuple[Dataset, Recipe]:
    """Draw all splits to compare recipes on validation. Raises RecipeError without a validation split."""
    dataset, recipe = draw_all_splits(dataset, recipe)
    if "validation" not in dataset.splits:
        raise RecipeError("validation is 0, but trials are compared on validation images: give 0.15, or a split")
    return dataset, recipe


def preprocessing_for(dataset: Dataset, recipe: ResolvedRecipe) -> Preprocessing:
    """Return the geometry: RGB with pre-trained weights; without them grey images stay grey where all are."""
    channels = 3 if recipe.weights != "none" or not _all_grey(dataset) else 1
    return Preprocessing(recipe.size, recipe.size, channels, recipe.fit, recipe.resize)


def drop_unreadable(dataset: Dataset, name: str, kept: tuple[int, ...], skipped: tuple[Skipped, ...]) -> Dataset:
    """Drop images that could not be read from a split, and list them among the skipped."""
    if not skipped:
        return dataset
    split = dataset.splits[name].take(kept)
    return replace(dataset, splits={**dataset.splits, name: split}, skipped=(*dataset.skipped, *skipped))


def _all_grey(dataset: Dataset) -> bool:
    return all(
        isinstance(split.images, ArrayImages) and split.images.array.shape[-1] == 1 for split in dataset.splits.values()
    )
