"""What the workers of a study have in common, wherever they are: a search's, a sweep's and those of folds."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from tellapart.backend import load_keras
from tellapart.data.dataset import Dataset
from tellapart.engine import resolve_precision
from tellapart.files import cache_folder, first_fills_lock
from tellapart.jobs import Jobs
from tellapart.models.resolved_recipe import EstimatorRecipe, NetworkRecipe, ResolvedRecipe
from tellapart.training.classical import source_of
from tellapart.training.prepare import preprocessing_for

if TYPE_CHECKING:
    from tellapart.models.features.frozen_backbone import FrozenBackbone

R = TypeVar("R", bound=ResolvedRecipe)


@contextmanager
def cache_warmup_lock(dataset: Dataset) -> Iterator[None]:
    """Let one worker of a machine fill the cache of its images and features: the others then find it filled."""
    with first_fills_lock(cache_folder() / "locks" / dataset.fingerprint):
        yield


def with_fixed_precision(recipe: R) -> R:
    """The recipe with the precision that this machine would choose, so that unlike machines compute alike."""
    return replace(recipe, precision=resolve_precision(recipe.precision))


def compute_features(dataset: Dataset, recipe: ResolvedRecipe, jobs: Jobs) -> None:
    """Let all workers run a settled recipe's frozen base, if it has one: where they begin, one would do it for all.

    The features are kept in the cache of this process. The test split stays shut. Raises WeightsError.
    """
    if recipe.backbone is None:
        return
    load_keras()
    from tellapart.models.features.frozen_backbone import stored_features
    from tellapart.training.tasks import looks

    base, preprocessing = _base(dataset, recipe), preprocessing_for(dataset, recipe)
    for name in ("train", "validation"):
        if base and name in dataset.splits:
            images = dataset.splits[name].images
            views = (
                looks(images, recipe, preprocessing) if name == "train" and isinstance(recipe, NetworkRecipe) else ()
            )
            for one in (images, *views):
                stored_features(base, one, cache=cache_folder(), label=f"features of {name}", jobs=jobs)


def _base(dataset: Dataset, recipe: ResolvedRecipe) -> "FrozenBackbone | None":
    from tellapart.training.tasks import backbone_for

    if isinstance(recipe, EstimatorRecipe):
        return source_of(dataset, recipe).base
    return backbone_for(recipe, preprocessing_for(dataset, recipe)).base
