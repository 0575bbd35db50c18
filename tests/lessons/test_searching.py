"""Replayed searches: Hyperband spends the epochs of its plan and continues the best trials; the best is kept."""

import numpy as np

from tellapart.lessons.searching import at_random, best_found, hyperband
from tellapart.studies.search.hyperband import brackets, trial_count, trial_epochs


def test_hyperband_spends_its_plan_and_continues_the_best_trials() -> None:
    plan = brackets(9, 3)
    loss = np.random.default_rng(0).random((trial_count(plan), 9))
    spent = hyperband(loss, plan, np.arange(len(loss)))
    assert len(spent) == len(set(spent)) == trial_epochs(plan)
    assert [trial for trial, epoch in spent[:9]] == list(range(9))
    assert {epoch for _, epoch in spent[:9]} == {0}
    assert {trial for trial, _ in spent[9:15]} == set(loss[:9, 0].argsort()[:3].tolist())
    last_epochs = {trial: max(epoch for other, epoch in spent if other == trial) for trial, _ in spent}
    assert sorted(last_epochs.values()) == [0] * 6 + [2] * 6 + [8] * 5


def test_random_search_trains_each_to_its_end_and_spends_no_more() -> None:
    spent = at_random(np.array([4, 2, 7]), 3, 7)
    assert spent == [(4, 0), (4, 1), (4, 2), (2, 0), (2, 1), (2, 2), (7, 0)]


def test_the_best_trial_is_chosen_by_loss_and_reported_by_accuracy() -> None:
    loss, accuracy = np.array([[3.0, 2.0], [2.5, 1.0]]), np.array([[0.1, 0.5], [0.9, 0.4]])
    assert best_found(loss, accuracy, [(0, 0), (0, 1), (1, 0), (1, 1)]).tolist() == [0.1, 0.5, 0.5, 0.4]
