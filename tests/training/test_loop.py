"""The training loop: it learns, it repeats, and its state is all there is."""

from typing import get_args

import keras
import numpy as np
import pytest

from tellapart.recipe import Optimizer, Recipe
from tellapart.training import loop
from tellapart.training.loop import Loop

from .conftest import Fresh, Learnable

RECIPE = Recipe(optimizer="adam", learning_rate=0.01, batch_size=4, inner=8, dropout=0.3)


def nothing(_: int) -> None:
    """Stand in for a progress bar."""


@pytest.mark.parametrize("optimizer", get_args(Optimizer))
def test_every_optimizer_lowers_the_loss(optimizer: str, fresh: Fresh, learnable: Learnable) -> None:
    rates = {"adadelta": 10.0, "adagrad": 0.1, "ftrl": 0.1, "lion": 0.003}
    recipe = Recipe.of({**RECIPE.as_dict(), "optimizer": optimizer, "learning_rate": rates.get(optimizer, 0.01)})
    learner = Loop(fresh(recipe), recipe)
    examples = learnable(200)
    before = learner.score(examples).loss
    for epoch in range(3):
        learner.epoch(examples, epoch, nothing)
    assert learner.score(examples).loss < 0.8 * before


def test_one_step_of_sgd_is_what_the_formula_says(fresh: Fresh, learnable: Learnable) -> None:
    recipe = Recipe(optimizer="sgd", learning_rate=0.1, batch_size=8, inner=0, dropout=0.0)
    network, examples = fresh(recipe), learnable(8)
    kernel, bias = (np.copy(array) for array in network.get_weights())
    logits = examples.inputs @ kernel + bias
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    error = (probabilities - np.eye(3)[examples.labels]) / 8
    score = Loop(network, recipe).epoch(examples, 0, nothing)
    after = network.get_weights()
    np.testing.assert_allclose(after[0], kernel - 0.1 * examples.inputs.T @ error, atol=1e-5)
    np.testing.assert_allclose(after[1], bias - 0.1 * error.sum(axis=0), atol=1e-5)
    assert score.loss == pytest.approx(-np.log(probabilities[range(8), examples.labels]).mean(), abs=1e-5)
    assert score.accuracy == pytest.approx((logits.argmax(axis=1) == examples.labels).mean())


def test_an_epoch_sees_every_example_once_also_when_it_takes_several_calls(
    fresh: Fresh, learnable: Learnable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "STEPS", 3)
    recipe = Recipe(optimizer="sgd", learning_rate=1e-9, batch_size=4, inner=0, dropout=0.0)
    learner, examples = Loop(fresh(recipe), recipe), learnable(50)
    moves: list[int] = []
    score = learner.epoch(examples, 0, moves.append)
    assert moves == [12, 12, 12, 12, 2]
    expected = learner.score(examples)  # with next to no learning, the mean over steps is the mean over all
    assert score.loss == pytest.approx(expected.loss, abs=1e-5)
    assert score.accuracy == pytest.approx(expected.accuracy)


def test_the_order_differs_between_epochs(fresh: Fresh, learnable: Learnable) -> None:
    recipe = Recipe(optimizer="sgd", learning_rate=0.5, batch_size=4, inner=0, dropout=0.0)
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
    recipe = Recipe(loss="binary", optimizer="adam", learning_rate=0.05, batch_size=8, dropout=0.0)
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
    other = Loop(fresh(Recipe.of({**RECIPE.as_dict(), "seed": 5})), RECIPE)
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


def test_a_forecast_leaves_no_trace(fresh: Fresh, learnable: Learnable) -> None:
    learner = Loop(fresh(RECIPE), RECIPE)
    before = learner.state()
    assert learner.epoch_seconds(learnable(50)) > 0
    for was, now in zip(before, learner.state(), strict=True):
        np.testing.assert_array_equal(was, now)


def test_the_cosine_schedule_goes_from_the_rate_towards_0() -> None:
    recipe = Recipe(learning_rate=0.2, schedule="cosine", epochs=4, optimizer="sgd")
    inputs = keras.Input((2,))
    learner = Loop(keras.Model(inputs, keras.layers.Dense(2)(inputs)), recipe)
    rates = [learner.learning_rate(epoch) for epoch in range(4)]
    assert rates == pytest.approx([0.2, 0.1 + 0.1 * 2**-0.5, 0.1, 0.1 - 0.1 * 2**-0.5])
    learner.recipe = Recipe(learning_rate=0.2, schedule="constant", epochs=4)
    assert [learner.learning_rate(epoch) for epoch in range(4)] == [0.2] * 4
