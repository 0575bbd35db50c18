"""Prepare a data set for training: splits, geometry, images that cannot be read. No Keras here."""

import shlex
from collections.abc import Collection
from dataclasses import replace

from tellapart.checking.check import check, check_cheap
from tellapart.checking.finding import KINDS, Finding
from tellapart.checking.near_duplicates import with_duplicate_families
from tellapart.data.dataset import Dataset, Skipped
from tellapart.data.decoding.conversion import parse_range
from tellapart.data.image_size import sides_of
from tellapart.data.images import ArrayImages
from tellapart.data.levels import measure_levels
from tellapart.data.preprocessing import Preprocessing
from tellapart.data.splits.draw_splits import draw_splits, missing_splits, require_classes, validation_share
from tellapart.data.usual_size import usual_size
from tellapart.errors import DatasetError, RecipeError, did_you_mean
from tellapart.models.catalogue import FOR_PHOTOS, FOR_SMALL_IMAGES, SMALL_PIXELS, lookup
from tellapart.models.resolved_recipe import ResolvedRecipe
from tellapart.progress import notify
from tellapart.recipe import AUTO, Recipe
from tellapart.text import joined, printable

FEW = 12  # images that are decoded to know whether all are small: photos take a while
BY_FEATURES = ("label-error", "outlier")
"""Kinds that need features."""


def draw_all_splits(dataset: Dataset, recipe: Recipe) -> tuple[Dataset, Recipe]:
    """Return the data set with all its splits, and the recipe with what its images decide.

    That is the model, the share of validation used to draw them, and the range of values of images of 16 bits.
    Near-duplicates stay on one side. Raises DatasetError where a split lacks a class.
    """
    recipe = with_model(dataset, recipe)
    share = validation_share(dataset) if recipe.validation is None else recipe.validation
    if missing_splits(dataset, validation=share, test=recipe.test):
        dataset = with_duplicate_families(dataset)
    dataset = draw_splits(dataset, validation=share, test=recipe.test, seed=recipe.split_seed)
    require_classes(dataset)
    return dataset, replace(recipe, validation=share, range=recipe.range or _found_range(dataset))


def with_model(dataset: Dataset, recipe: Recipe) -> Recipe:
    """Return the recipe with a model in place of `auto`: the one for small images, at their size, or that for photos.

    A recipe that names weights, or asks for a backbone's layers, means a pre-trained network.
    """
    if recipe.model != AUTO:
        return recipe
    given = None if recipe.size is None else max(sides_of(recipe.size))
    side = given or dataset.own_size or round(usual_size(next(iter(dataset.splits.values())).images, FEW))
    wants_backbone = recipe.weights not in (None, "none") or recipe.cut is not None or recipe.unfreeze
    if wants_backbone or not 0 < side < SMALL_PIXELS:
        return replace(recipe, model=FOR_PHOTOS)
    side = max(side, lookup(FOR_SMALL_IMAGES).smallest)
    notify(f"model: {FOR_SMALL_IMAGES}, since the images have {side} pixels; --model {FOR_PHOTOS} enlarges them")
    return replace(recipe, model=FOR_SMALL_IMAGES, size=recipe.size or side)


def _found_range(dataset: Dataset) -> str | None:
    """Find the range of values of the training images of 16 bits; None where there are none, or all bits are used."""
    levels = measure_levels([dataset.splits["train"].images])
    if levels is None or levels.range is None:
        return None
    low, high = levels.range
    notify(f"{levels.sentence}: {low:,} is taken as black and {high:,} as white, here and by the bundle (--range)")
    return f"{low}:{high}"


def draw_splits_to_compare(dataset: Dataset, recipe: Recipe) -> tuple[Dataset, Recipe]:
    """Draw all splits to compare recipes on validation. Raises RecipeError without a validation split."""
    dataset, recipe = draw_all_splits(dataset, recipe)
    if "validation" not in dataset.splits:
        raise RecipeError("validation is 0, but trials are compared on validation images: give 0.15, or a split")
    return dataset, recipe


def preprocessing_for(dataset: Dataset, recipe: ResolvedRecipe) -> Preprocessing:
    """Return the geometry: RGB with pre-trained weights; without them grey images stay grey where all are."""
    channels = 3 if recipe.weights != "none" or not _all_grey(dataset) else 1
    return Preprocessing(
        *sides_of(recipe.size),
        channels,
        recipe.fit,
        recipe.resize,
        parse_range(recipe.range) if recipe.range else None,
        recipe.alpha,
    )


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


def require_kinds(kinds: Collection[str]) -> None:
    """Refuse unknown kinds, and kinds that are not checked before training. Raises DatasetError."""
    for kind in kinds:
        if kind in BY_FEATURES:
            raise DatasetError(
                f"{kind} cannot be forbidden: it is found by features, which training has not computed yet. Run "
                f"`tellapart check` with --features, and leave images out with --skip"
            )
        if kind not in KINDS:
            raise DatasetError(f"{kind!r} is no finding that could be forbidden: {did_you_mean(kind, KINDS)}")


def preflight(dataset: Dataset, *, forbid: Collection[str] = (), strict: bool = False) -> None:
    """Report findings, a line each. Raises DatasetError where one is of a kind in `forbid`.

    `strict` forbids all problems and warnings that are cheap to find; notes are about what training handles.
    """
    require_kinds(forbid)
    findings = check_cheap(dataset)
    seen = {finding.kind for finding in findings}
    if set(forbid) - seen:  # what is not found cheaply may be found by decoding
        findings += tuple(
            finding for finding in check(dataset, None) if finding.kind in forbid and finding.kind not in seen
        )
    for finding in findings:
        notify(f"{finding.severity}: {printable(finding.sentence)}")
    refused = [finding for finding in findings if finding.kind in forbid or (strict and finding.severity != "note")]
    if refused:
        raise DatasetError(_refusal(refused, dataset.source))


def _refusal(refused: list[Finding], source: str | None) -> str:
    kinds = joined(list(dict.fromkeys(finding.kind for finding in refused)))
    command = shlex.join(["tellapart", "check", source or "SOURCE"])
    return (
        f"nothing was trained, since these findings are forbidden: {kinds}. Run `{command}` "
        f"to see the images, then fix them, or leave some out with --skip"
    )
