"""The training loop: it learns, it repeats, and its state is all there is."""

from dataclasses import replace
from typing import get_args

import keras
import numpy as np
import pytest

from tellapart.models.resolved_recipe import resolve_network
from tellapart.recipe import Optimizer, Recipe
from tellapart.training.fitting import fused_optimizer, loop
from tellapart.training.fitting.examples import Examples
from tellapart.training.fitting.loop import Loop

from .conftest import Fresh, Learnable

RECIPE = resolve_network(Recipe(optimizer="adam", learning_rate=0.01, batch_size=4, inner=8, dropout=0.3))


def nothing(_: int) -> None:
    """Stand in for a progress bar."""


@pytest.mark.parametrize("optimizer", get_args(Optimizer))
def test_every_optimizer_lowers_the_loss(optimizer: str, fresh: Fresh, learnable: Learnable) -> None:
    rates = {"adadelta": 10.0, "adagrad": 0.1, "ftrl": 0.1, "lion": 0.003}
    recipe = RECIPE.changed(f"optimizer={optimizer},learning_rate={rates.get(optimizer, 0.01)}")
    learner = Loop(fresh(recipe), recipe)
    examples = learnable(200)
    before = learner.score(examples).loss
    for epoch in range(3):
        learner.epoch(examples, epoch, nothing)
    assert learner.score(examples).loss < 0.8 * before


def test_one_step_of_sgd_is_what_the_formula_says(fresh: Fresh, learnable: Learnable) -> None:
    recipe = resolve_network(Recipe(optimizer="sgd", learning_rate=0.1, batch_size=8, inner=0, dropout=0.0))
    network, examples = fresh(recipe), learnable(8)
    kernel, bias = (np.copy(array) for array in network.get_weights())
    logits = examples.inputs[:] @ kernel + bias
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    error = (probabilities - np.eye(3)[examples.labels]) / 8
    score = Loop(network, recipe).epoch(examples, 0, nothing)
    after = network.get_weights()
    np.testing.assert_allclose(after[0], kernel - 0.1 * examples.inputs[:].T @ error, atol=1e-5)
    np.testing.assert_allclose(after[1], bias - 0.1 * error.sum(axis=0), atol=1e-5)
    assert score.loss == pytest.approx(-np.log(probabilities[range(8), examples.labels]).mean(), abs=1e-5)
    assert score.accuracy == pytest.approx((logits.argmax(axis=1) == examples.labels).mean())


def test_an_epoch_sees_every_example_once_also_when_it_takes_several_calls(
    fresh: Fresh, learnable: Learnable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "STEPS", 3)
    recipe = resolve_network(Recipe(optimizer="sgd", learning_rate=1e-9, batch_size=4, inner=0, dropout=0.0))
    learner, examples = Loop(fresh(recipe), recipe), learnable(50)
    moves: list[int] = []
    score = learner.epoch(examples, 0, moves.append)
    assert moves == [12, 12, 12, 12, 2]
    expected = learner.score(examples)  # with next to no learning, the mean over steps is the mean over all
    assert score.loss == pytest.approx(expected.loss, abs=1e-5)
    assert score.accuracy == pytest.approx(expected.accuracy)


def test_the_order_differs_between_epochs(fresh: Fresh, learnable: Learnable) -> None:
    recipe = resolve_network(Recipe(optimizer="sgd", learning_rate=0.5, batch_size=4, inner=0, dropout=0.0))
    one, other = Loop(fresh(recipe), recipe), Loop(fresh(recipe), recipe)
    examples = learnable(50)
    assert one.epoch(examples, 0, nothing) != other.epoch(examples, 1, nothing)


def test_scoring_more_than_is_scored_at_once_is_the_mean_over_all(fresh: Fresh, learnable: Learnable) -> None:
    learner, examples = Loop(fresh(RECIPE), RECIPE), learnable(600)
    logits = learner.network.predict_on_batch(examples.inputs)
    losses = keras.ops.sparse_categorical_crossentropy(examples.labels, logits, from_logits=True)
    found = learner.score(examples)
    assert found.loss == pytest.approx(float(np.mean(keras.ops.convert_to_numpy(losses))), abs=1e-5)
    assert found.accuracy == pytest.approx(float((logits.argmax(axis=1) == examples.labels).mean()), abs=1e-6)


def test_a_binary_loss_learns_with_one_logit(fresh: Fresh, learnable: Learnable) -> None:
    recipe = resolve_network(Recipe(loss="binary", optimizer="adam", learning_rate=0.05, batch_size=8, dropout=0.0))
    network = fresh(recipe)
    assert network.output_shape == (None, 1)
    learner, examples = Loop(network, recipe), learnable(200, classes=2)
    before = learner.score(examples)
    logits = network.predict_on_batch(examples.inputs)[:, 0].astype(np.float64)
    assert before.loss == pytest.approx(np.log1p(np.exp(np.where(examples.labels, -logits, logits))).mean(), abs=1e-5)
    for epoch in range(5):
        learner.epoch(examples, epoch, nothing)
    after = learner.score(examples)
    assert after.loss < 0.5 * before.loss
    assert after.accuracy > 0.9


def test_a_state_put_back_into_another_loop_goes_on_to_the_same_weights(fresh: Fresh, learnable: Learnable) -> None:
    examples = learnable(60)
    one = Loop(fresh(RECIPE), RECIPE)
    one.epoch(examples, 0, nothing)
    state = one.state()
    one.epoch(examples, 1, nothing)
    other = Loop(fresh(replace(RECIPE, seed=5)), RECIPE)
    other.restore(state)
    other.epoch(examples, 1, nothing)
    for mine, yours in zip(one.state(), other.state(), strict=True):
        np.testing.assert_array_equal(mine, yours)


def test_a_state_holds_the_dropouts_random_state_and_the_optimizers_steps(fresh: Fresh, learnable: Learnable) -> None:
    learner = Loop(fresh(RECIPE), RECIPE)
    before = learner.state()
    learner.epoch(learnable(20), 0, nothing)
    changed = [not np.array_equal(a, b) for a, b in zip(before, learner.state(), strict=True)]
    paths = [variable.path for variable in learner._variables]
    moved = {path for path, change in zip(paths, changed, strict=True) if change}
    assert any("seed_generator" in path for path in moved)
    assert any("iteration" in path for path in moved)


def test_steps_at_one_rate_are_the_steps_of_epochs_at_that_rate(fresh: Fresh, learnable: Learnable) -> None:
    examples = learnable(42)  # 10 whole batches and one of 2
    whole, stepwise = Loop(fresh(RECIPE), RECIPE), Loop(fresh(RECIPE), RECIPE)
    means = [whole.epoch(examples, epoch, nothing).loss for epoch in range(2)]
    losses = np.array(list(stepwise.steps_at(examples, [0.01] * 22))).reshape(2, 11)
    for mine, yours in zip(whole.state(), stepwise.state(), strict=True):
        np.testing.assert_array_equal(mine, yours)
    np.testing.assert_allclose(losses @ np.array([4] * 10 + [2]) / 42, means, rtol=1e-5)


def test_steps_at_follow_the_rates_they_are_given_and_stop_when_nobody_asks(fresh: Fresh, learnable: Learnable) -> None:
    recipe = resolve_network(Recipe(optimizer="sgd", learning_rate=1e-9, batch_size=50, inner=0, dropout=0.0))
    learner, examples = Loop(fresh(recipe), recipe), learnable(50)
    before = learner.network.get_weights()[0]
    moved = []
    for number, _ in enumerate(learner.steps_at(examples, [0.0, 0.01, 0.02, 5.0])):
        now = learner.network.get_weights()[0]
        moved.append(float(np.abs(now - before).max()))
        before = now
        if number == 2:
            break
    assert moved[0] == 0
    assert moved[2] == pytest.approx(2 * moved[1], rel=0.2)
    assert learner.rate == pytest.approx(0.02)


def test_a_forecast_leaves_no_trace(fresh: Fresh, learnable: Learnable) -> None:
    learner = Loop(fresh(RECIPE), RECIPE)
    before = learner.state()
    assert learner.epoch_seconds(learnable(50)) > 0
    for was, now in zip(before, learner.state(), strict=True):
        np.testing.assert_array_equal(was, now)


def test_class_weights_let_a_rare_class_count_as_much_as_the_others(fresh: Fresh, learnable: Learnable) -> None:
    recipe = resolve_network(
        Recipe(optimizer="sgd", learning_rate=1.0, batch_size=100, inner=0, dropout=0.0, class_weight="balanced")
    )
    inputs = np.zeros((100, 6), np.float32)  # nothing to see: only the bias can learn how frequent the classes are
    labels = np.repeat(np.array([0, 1, 2], np.int32), [80, 15, 5])
    biases = {}
    for weight in ("none", "balanced"):
        network = fresh(recipe)
        Loop(network, replace(recipe, class_weight=weight)).epoch(Examples(inputs, labels), 0, nothing)
        biases[weight] = network.get_weights()[1]
    np.testing.assert_allclose(biases["none"], np.array([0.8, 0.15, 0.05]) - 1 / 3, atol=1e-5)
    np.testing.assert_allclose(biases["balanced"], 0, atol=1e-5)


def test_averaged_weights_are_what_is_judged_and_kept(fresh: Fresh, learnable: Learnable) -> None:
    recipe = resolve_network(Recipe(optimizer="sgd", learning_rate=0.5, batch_size=10, inner=0, dropout=0.0, ema=0.8))
    examples, network = learnable(30), fresh(recipe)
    start = network.get_weights()[0]
    learner = Loop(network, recipe)
    for epoch in range(2):
        learner.epoch(examples, epoch, nothing)
    own, state = network.get_weights()[0], learner.state()
    judged = learner.score(examples)
    np.testing.assert_array_equal(network.get_weights()[0], own)  # judging leaves the weights as they are
    learner.settle()
    kept = network.get_weights()[0]
    assert np.abs(kept - own).max() > 0
    assert np.abs(kept - start).max() < np.abs(own - start).max()  # the mean lags behind
    assert Loop(network, replace(recipe, ema=0.0)).score(examples) == judged
    other = Loop(fresh(recipe), recipe)
    other.restore(state)
    other.settle()
    np.testing.assert_array_equal(other.network.get_weights()[0], kept)


def test_large_inputs_go_through_in_smaller_calls_with_the_same_result(
    fresh: Fresh, learnable: Learnable, monkeypatch: pytest.MonkeyPatch
) -> None:
    examples = learnable(50)
    moves: list[int] = []
    whole = Loop(fresh(RECIPE), RECIPE)
    whole.epoch(examples, 0, nothing)
    monkeypatch.setattr(loop, "CHUNK_BYTES", 2 * 4 * 6 * 4)  # two batches of four vectors of six float32
    parts = Loop(fresh(RECIPE), RECIPE)
    parts.epoch(examples, 0, moves.append)
    assert moves == [8, 8, 8, 8, 8, 8, 2]
    for mine, yours in zip(whole.state(), parts.state(), strict=True):
        np.testing.assert_array_equal(mine, yours)


def test_the_rate_factor_scales_the_steps(fresh: Fresh, learnable: Learnable) -> None:
    recipe = resolve_network(Recipe(optimizer="sgd", learning_rate=0.5, batch_size=50, inner=0, dropout=0.0))
    start, moved = fresh(recipe).get_weights()[0], []
    for rate_factor in (1.0, 0.25):
        network = fresh(recipe)
        learner = Loop(network, recipe)
        learner.epoch(learnable(50), 0, nothing, rate_factor=rate_factor)
        moved.append(network.get_weights()[0] - start)
        assert learner.rate == pytest.approx(0.5 * rate_factor)
    np.testing.assert_allclose(moved[1], moved[0] / 4, atol=1e-6)


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd"])
def test_the_optimizer_in_one_pass_does_what_it_does_step_by_step(
    optimizer: Optimizer, fresh: Fresh, learnable: Learnable, monkeypatch: pytest.MonkeyPatch
) -> None:
    states = []
    for fused_from in (10**9, 0):
        monkeypatch.setattr(fused_optimizer, "FUSED_FROM", fused_from)
        recipe = replace(RECIPE, optimizer=optimizer, schedule="cosine", epochs=2)
        learner = Loop(fresh(recipe), recipe)
        for epoch in range(2):
            learner.epoch(learnable(40), epoch, nothing)
        states.append(learner.state())
    for plain, fused in zip(*states, strict=True):
        np.testing.assert_allclose(fused, plain, rtol=1e-4, atol=1e-6)


def test_mixed_precision_learns_about_the_same_with_weights_in_float32(fresh: Fresh, learnable: Learnable) -> None:
    examples, scores = learnable(200), []
    for mixed in (False, True):
        recipe = replace(RECIPE, mixed_precision=mixed, dropout=0.0)
        learner = Loop(fresh(recipe), recipe)
        for epoch in range(3):
            learner.epoch(examples, epoch, nothing)
        scores.append(learner.score(examples))
        assert {array.dtype for array in learner.network.get_weights()} == {np.dtype(np.float32)}
    assert scores[0] != scores[1]
    assert scores[1].loss == pytest.approx(scores[0].loss, rel=0.1)
