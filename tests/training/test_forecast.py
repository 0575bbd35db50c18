"""What a training will take: measured, and less where features are cached."""

from dataclasses import replace
from pathlib import Path

import pytest

from tellapart.data.dataset import Dataset
from tellapart.data.splits.draw_splits import draw_splits
from tellapart.models.resolved_recipe import NetworkRecipe, resolve_network
from tellapart.recipe import Recipe
from tellapart.training.forecast import Cost, forecast
from tellapart.training.prepare import preprocessing_for
from tellapart.training.tasks import backbone_for, make_task


@pytest.mark.usefixtures("random_weights")
def test_features_cost_nothing_once_they_are_cached_and_views_cost_more(tiny: Path, tmp_path: Path) -> None:
    dataset = draw_splits(Dataset.open(tiny), validation=0.2, test=0.2, seed=0)
    recipe = resolve_network(Recipe(model="mobilenet", size=32, precision="float32", unfreeze=9), own_size=None)
    preprocessing = preprocessing_for(dataset, recipe)
    backbone = backbone_for(recipe, preprocessing)

    def cost(asked: NetworkRecipe) -> Cost:
        return forecast(dataset, asked, preprocessing, backbone, cache=tmp_path)

    before = cost(recipe)
    assert before.features_s > 0
    train, validation = (len(dataset.splits[name]) for name in ("train", "validation"))
    assert before.bytes_needed == 2 * (train + validation) * 512  # float16
    more = cost(replace(recipe, augment="rotate=20", views=2))
    assert more.bytes_needed == 2 * (train + validation + 2 * train) * 512
    make_task(dataset, recipe, preprocessing, cache=tmp_path, backbone=backbone)
    after = cost(recipe)
    assert (after.features_s, after.bytes_needed) == (0, 0)
    assert after.epoch_s > 0


def test_a_cost_is_what_comes_once_and_what_comes_with_each_epoch() -> None:
    assert Cost(features_s=10, compile_s=2, epoch_s=3, bytes_needed=0).seconds(4) == 24
