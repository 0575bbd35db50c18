"""The lesson's patience is that of a training."""

import numpy as np
import pytest

from tellapart.lessons.early_stopping import PATIENCE, best_so_far, early
from tellapart.models.resolved_recipe import resolve_network
from tellapart.recipe import Recipe
from tellapart.training.fitting.checkpoints import Epoch, History
from tellapart.training.fitting.fit import best_epoch, patience_ended


@pytest.mark.parametrize("seed", range(5))
def test_a_training_ends_where_a_runs_would(seed: int) -> None:
    losses = np.random.default_rng(seed).random(30).round(1)  # with equals among them
    recipe = resolve_network(Recipe())
    history: History = ()
    assert recipe.patience == PATIENCE
    for number, loss in enumerate(losses.tolist(), start=1):
        history = (*history, Epoch(number, 0.0, 0.0, loss, 0.0, 0.0, 0.0))
        if patience_ended(history, recipe):
            break
    assert early(losses) == (best_epoch(history, recipe), len(history))


def test_the_best_so_far_keeps_the_first_of_equals() -> None:
    seen, true = np.array([0.5, 0.4, 0.7, 0.7]), np.array([0.1, 0.2, 0.3, 0.4])
    assert best_so_far(seen, true).tolist() == [[0.5, 0.5, 0.7, 0.7], [0.1, 0.1, 0.3, 0.3]]
