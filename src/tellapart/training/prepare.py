"""What runs of every kind have in common: the geometry, what cannot be read, what is written down. No Keras here."""

import json
from dataclasses import replace
from pathlib import Path

from tellapart.bundles.bundle import HASH_DIGITS, Bundle, Facts
from tellapart.checking.duplicate_families import with_duplicate_families
from tellapart.data.dataset import Dataset, Skipped
from tellapart.data.images import ArrayImages
from tellapart.data.preprocessing import Preprocessing
from tellapart.data.sources.apply_skips import is_user_skip
from tellapart.data.splits.draw_splits import draw_splits, missing_splits, require_classes, validation_share
from tellapart.errors import RecipeError
from tellapart.files import atomic_write, csv_text
from tellapart.models.catalogue import lookup
from tellapart.models.resolved_recipe import ResolvedRecipe
from tellapart.progress import notify
from tellapart.recipe import Recipe
from tellapart.training.final_evaluation import FinalEvaluation

FEATURES = "features.json"
"""In a run's folder: under which key of the feature cache the vectors are that its classifier stands on."""
SKIPPED = "skipped.csv"
"""In a run's folder: the images that could not be read, and why."""


def draw_all_splits(dataset: Dataset, recipe: Recipe) -> tuple[Dataset, Recipe]:
    """The data set with all its splits, and the recipe with the share for validation that they were drawn by.

    Near-duplicates stay on one side. Raises DatasetError where a split misses a class.
    """
    share = validation_share(dataset) if recipe.validation is None else recipe.validation
    if missing_splits(dataset, validation=share, test=recipe.test):
        dataset = with_duplicate_families(dataset)
    dataset = draw_splits(dataset, validation=share, test=recipe.test, seed=recipe.split_seed)
    require_classes(dataset)
    return dataset, replace(recipe, validation=share)


def draw_splits_to_compare(dataset: Dataset, recipe: Recipe) -> tuple[Dataset, Recipe]:
    """As `divided`, where recipes are to be compared on validation. Raises RecipeError without such a split."""
    dataset, recipe = draw_all_splits(dataset, recipe)
    if "validation" not in dataset.splits:
        raise RecipeError("validation is 0, but trials are compared on validation images: give 0.15, or a split")
    return dataset, recipe


def preprocessing_for(dataset: Dataset, recipe: ResolvedRecipe) -> Preprocessing:
    """The geometry of a run: without pre-trained weights grey images stay grey where all are; else RGB."""
    channels = 3 if recipe.weights != "none" or not _all_grey(dataset) else 1
    return Preprocessing(recipe.size, recipe.size, channels, recipe.fit)


def drop_unreadable(dataset: Dataset, name: str, kept: tuple[int, ...], skipped: tuple[Skipped, ...]) -> Dataset:
    """Drop the images that could not be read from a split, and list them."""
    if not skipped:
        return dataset
    split = dataset.splits[name].take(kept)
    return replace(dataset, splits={**dataset.splits, name: split}, skipped=(*dataset.skipped, *skipped))


def list_skipped(skipped: tuple[Skipped, ...], folder: Path) -> None:
    """Write `skipped.csv`, where any image was, and say so."""
    if not skipped:
        return
    rows = [(one.path, one.reason) for one in skipped]
    atomic_write(folder / SKIPPED, csv_text(("path", "reason"), rows))
    unread = [one for one in skipped if not is_user_skip(one)]
    if unread:
        notify(
            f"skipped {len(unread):,} images that cannot be read, {unread[0].path} ({unread[0].reason}) first: "
            f"all are in {folder / SKIPPED}"
        )


def seen_by(dataset: Dataset) -> dict[str, list[str]]:
    """For each split that training or choosing uses, the start of its images' hashes: a bundle's `splits.json`."""
    names = [name for name in ("train", "validation") if name in dataset.splits]
    return {name: sorted({digest[:HASH_DIGITS] for digest in dataset.splits[name].images.digests}) for name in names}


def write_metrics(folder: Path) -> None:
    """Write the bundle's metrics as the run's `metrics.json`: the last file of a run, which says that all is done."""
    metrics = Bundle.open(folder / "bundle").metrics
    atomic_write(folder / "metrics.json", json.dumps(metrics, indent=2) + "\n")


def bundle_facts(
    dataset: Dataset, recipe: ResolvedRecipe, preprocessing: Preprocessing, found: FinalEvaluation
) -> Facts:
    """What the bundle of a run says of itself."""
    return Facts(
        name=dataset.name,
        classes=dataset.classes,
        preprocessing=preprocessing,
        recipe=recipe.as_dict() | {"weights": Path(recipe.weights).name},  # a bundle names no folder of ours
        metrics=found.metrics,
        fingerprint=dataset.fingerprint,
        licence=lookup(recipe.backbone).licence if recipe.backbone else None,
        calibration=found.calibration,
    )


def _all_grey(dataset: Dataset) -> bool:
    return all(
        isinstance(split.images, ArrayImages) and split.images.array.shape[-1] == 1 for split in dataset.splits.values()
    )
