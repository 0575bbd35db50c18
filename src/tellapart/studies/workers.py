"""What the workers of a study have in common, wherever they are: a search's, a sweep's and those of folds."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from tellapart.backend import load_keras
from tellapart.data.dataset import Dataset
from tellapart.engine import chosen_precision
from tellapart.files import cache_folder, first_alone
from tellapart.jobs import Jobs
from tellapart.models.catalogue import base_of, lookup
from tellapart.recipe import Recipe
from tellapart.training.classical import source_of
from tellapart.training.prepare import preprocessing_for

if TYPE_CHECKING:
    from tellapart.models.features.frozen_backbone import FrozenBase


@contextmanager
def filling(dataset: Dataset) -> Iterator[None]:
    """Let one worker of a machine fill the cache of its pictures and features: the others then find it filled."""
    with first_alone(cache_folder() / "locks" / dataset.fingerprint):
        yield


def alike(recipe: Recipe) -> Recipe:
    """The recipe with the precision that this machine would choose, so that unlike machines compute alike."""
    return replace(recipe, precision=chosen_precision(recipe.precision))


def run_base(dataset: Dataset, recipe: Recipe, jobs: Jobs) -> None:
    """Let all workers run a settled recipe's frozen base, if it has one: where they begin, one would do it for all.

    The features are kept in the cache of this process. The test split stays shut. Raises WeightsError.
    """
    if base_of(recipe) is None:
        return
    load_keras()
    from tellapart.models.features.frozen_backbone import stored_features
    from tellapart.training.tasks import looks

    base, preprocessing = _base(dataset, recipe), preprocessing_for(dataset, recipe)
    for name in ("train", "validation"):
        if base and name in dataset.splits:
            pictures = dataset.splits[name].pictures
            for one in (pictures, *(looks(pictures, recipe, preprocessing) if name == "train" else ())):
                stored_features(base, one, cache=cache_folder(), label=f"features of {name}", jobs=jobs)


def _base(dataset: Dataset, recipe: Recipe) -> "FrozenBase | None":
    from tellapart.training.tasks import standing_of

    if lookup(recipe.model).estimator:
        return source_of(dataset, recipe).base
    return standing_of(recipe, preprocessing_for(dataset, recipe)).base
