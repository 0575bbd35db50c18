"""Workers of a study share the run of the frozen backbone, the precision, and the cache."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tellapart.data.dataset import Dataset
from tellapart.data.images import Images
from tellapart.data.splits.draw_splits import draw_splits
from tellapart.engine import resolve_precision
from tellapart.files import cache_folder
from tellapart.models.features import frozen_backbone
from tellapart.models.features.feature_job import FeatureShard
from tellapart.models.resolved_recipe import resolve
from tellapart.recipe import Recipe
from tellapart.studies.folds.cross_validate import make_learner
from tellapart.studies.workers import cache_warmup_lock, compute_features, with_fixed_precision

from .fake_jobs import FakeJobs

BASE = Recipe(model="mobilenet", size=32, precision="float32", epochs=2, batch_size=8, validation=0.2)
KNN = Recipe(model="knn", features="mobilenet", size=32, precision="float32")


@pytest.fixture
def dataset(tiny: Path) -> Dataset:
    """Three classes, with all three splits."""
    return draw_splits(Dataset.open(tiny), validation=0.2, test=0.2, seed=0)


@pytest.mark.usefixtures("random_weights")
@pytest.mark.parametrize(
    "recipe",
    [
        pytest.param(BASE, marks=pytest.mark.long),
        Recipe.of({**BASE.as_dict(), "mirror": True, "augment": "rotate=20", "views": 2}),
        pytest.param(Recipe.of({**BASE.as_dict(), "unfreeze": 3}), marks=pytest.mark.long),
        KNN,
    ],
)
def test_learners_find_all_features_in_the_cache(
    recipe: Recipe, dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frozen_backbone, "JOB_IMAGES", 8)
    recipe, fake_jobs = resolve(recipe, own_size=None), FakeJobs()
    compute_features(dataset, recipe, fake_jobs)
    assert fake_jobs.done >= 4
    monkeypatch.setattr(frozen_backbone, "_fill", None)
    make_learner(dataset, recipe)
    again = FakeJobs()
    compute_features(dataset, recipe, again)
    assert again.begun == 0


@pytest.mark.parametrize("recipe", [Recipe(model="mlp", size=20), Recipe(model="knn", features="pixels", size=20)])
def test_without_a_backbone_no_worker_starts(recipe: Recipe, dataset: Dataset) -> None:
    fake_jobs = FakeJobs()
    compute_features(dataset, resolve(recipe, own_size=None), fake_jobs)
    assert fake_jobs.begun == 0


def test_test_images_are_not_read(dataset: Dataset, monkeypatch: pytest.MonkeyPatch, random_weights: None) -> None:
    seen: set[str] = set()
    real = FakeJobs.run

    def noting(
        self: FakeJobs, begin: Callable[[], Callable[[Images], FeatureShard]], items: Iterable[Images]
    ) -> Iterator[FeatureShard]:
        every = list(items)
        seen.update(digest for one in every for digest in one.digests)
        return real(self, begin, every)

    monkeypatch.setattr(FakeJobs, "run", noting)
    compute_features(dataset, resolve(BASE, own_size=None), FakeJobs())
    assert seen
    assert not seen & set(dataset.splits["test"].images.digests)


def test_only_the_precision_is_fixed() -> None:
    recipe = resolve(Recipe(model="mlp", units=7), own_size=None)
    assert with_fixed_precision(recipe).precision == resolve_precision("auto")
    assert with_fixed_precision(replace(recipe, precision="float32")).precision == "float32"
    assert with_fixed_precision(recipe).units == 7


def test_the_lock_is_named_by_the_fingerprint_of_the_images(dataset: Dataset) -> None:
    with cache_warmup_lock(dataset):
        assert [path.name for path in (cache_folder() / "locks").iterdir()] == [dataset.fingerprint]
