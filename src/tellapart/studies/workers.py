"""Helpers for the workers of search, sweep and cross-validation: cache, precision, features of the frozen backbone."""

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
from tellapart.training.estimator_run import vector_source
from tellapart.training.prepare import preprocessing_for

if TYPE_CHECKING:
    from tellapart.models.features.frozen_backbone import FrozenBackbone

R = TypeVar("R", bound=ResolvedRecipe)


@contextmanager
def cache_warmup_lock(dataset: Dataset) -> Iterator[None]:
    """Let the first worker of a machine fill the cache of images and features, while the others wait."""
    with first_fills_lock(cache_folder() / "locks" / dataset.fingerprint):
        yield


def with_fixed_precision(recipe: R) -> R:
    """Return the recipe with the precision that this machine chooses, so that all machines compute the same."""
    return replace(recipe, precision=resolve_precision(recipe.precision))


def compute_features(dataset: Dataset, recipe: ResolvedRecipe, jobs: Jobs) -> None:
    """Let all workers share the run of a recipe's frozen backbone, if it has one, before they train.

    Otherwise the first worker would run it alone. The features are stored in the cache of this process. Test images
    are not read. Raises WeightsError.
    """
    if recipe.backbone is None:
        return
    load_keras()
    from tellapart.models.features.frozen_backbone import stored_features
    from tellapart.training.tasks import extra_views

    backbone, preprocessing = _frozen_backbone(dataset, recipe), preprocessing_for(dataset, recipe)
    for name in ("train", "validation"):
        if backbone and name in dataset.splits:
            images = dataset.splits[name].images
            views = (
                extra_views(images, recipe, preprocessing)
                if name == "train" and isinstance(recipe, NetworkRecipe)
                else ()
            )
            for view in (images, *views):
                stored_features(
                    backbone, view, cache=cache_folder(), label=f"features of {name}", jobs=jobs, dataset=dataset.name
                )


def _frozen_backbone(dataset: Dataset, recipe: ResolvedRecipe) -> "FrozenBackbone | None":
    from tellapart.training.tasks import backbone_for

    if isinstance(recipe, EstimatorRecipe):
        return vector_source(dataset, recipe).backbone
    return backbone_for(recipe, preprocessing_for(dataset, recipe)).frozen
