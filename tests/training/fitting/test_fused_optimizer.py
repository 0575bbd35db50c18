"""The learning rate of each step."""

import numpy as np
import pytest

from tellapart.models.resolved_recipe import resolve_network
from tellapart.recipe import Recipe
from tellapart.training.fitting.fused_optimizer import plateau, rates


def test_a_constant_rate_stays() -> None:
    assert rates(resolve_network(Recipe(learning_rate=0.2, schedule="constant")), 7, 3).tolist() == pytest.approx(
        [0.2] * 3
    )


def test_the_cosine_goes_from_the_rate_towards_0() -> None:
    recipe = resolve_network(Recipe(learning_rate=0.2, schedule="cosine", epochs=4))
    found = [float(rates(recipe, epoch, 1)[0]) for epoch in range(4)]
    assert found == pytest.approx([0.2, 0.1 + 0.1 * 2**-0.5, 0.1, 0.1 - 0.1 * 2**-0.5])


def test_one_cycle_goes_up_from_step_to_step_and_then_down_to_nearly_0() -> None:
    recipe = resolve_network(Recipe(learning_rate=0.5, schedule="one-cycle", epochs=10))
    found = np.concatenate([rates(recipe, epoch, 10) for epoch in range(10)])
    assert found[0] == pytest.approx(0.5 / 25)
    assert found[-1] == pytest.approx(0.5e-4, rel=1e-3)
    peak = int(found.argmax())
    assert peak == pytest.approx(30, abs=1)
    assert found.max() == pytest.approx(0.5, rel=1e-2)
    assert (np.diff(found[:peak]) > 0).all()
    assert (np.diff(found[peak:]) < 0).all()


@pytest.mark.parametrize(
    ("losses", "expected"),
    [
        ([], 1),
        ([3, 2, 1, 0.5], 1),
        ([1, 1, 1], 1),
        ([1, 1, 1, 1], 1 / 3),
        ([1, 2, 2, 0.5, 2, 2], 1),
        ([1, 2, 2, 2, 2, 2, 2], 1 / 9),
        ([1] * 100, 1 / 81),
        ([1, float("nan"), float("nan"), float("nan")], 1 / 3),
    ],
)
def test_a_plateau_slows_down_after_three_epochs_without_improvement_at_most_four_times(
    losses: list[float], expected: float
) -> None:
    assert plateau(losses) == pytest.approx(expected)
