"""The lesson stops and keeps epochs as tellapart does."""

import numpy as np
import pytest

from tellapart.lessons.early_stopping import PATIENCE, best_so_far, early
from tellapart.models.resolved_recipe import resolve_network
from tellapart.recipe import Recipe
from tellapart.training.fitting.checkpoints import Epoch, History
from tellapart.training.fitting.fit import best_epoch, patience_ended


@pytest.mark.parametrize("seed", range(5))
def test_training_stops_where_a_run_would(seed: int) -> None:
    losses = np.random.default_rng(seed).random(30).round(1)  # with ties
    recipe = resolve_network(Recipe())
    history: History = ()
    assert recipe.patience == PATIENCE
    for number, loss in enumerate(losses.tolist(), start=1):
        history = (*history, Epoch(number, 0.0, 0.0, loss, 0.0, 0.0, 0.0))
        if patience_ended(history, recipe):
            break
    assert early(losses) == (best_epoch(history, recipe), len(history))


def test_the_best_so_far_keeps_the_first_of_ties() -> None:
    validated, tested = np.array([0.5, 0.4, 0.7, 0.7]), np.array([0.1, 0.2, 0.3, 0.4])
    assert best_so_far(validated, tested).tolist() == [[0.5, 0.5, 0.7, 0.7], [0.1, 0.1, 0.3, 0.3]]
