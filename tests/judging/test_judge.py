"""The public edge of judging: what it answers and what it refuses."""

import json
import time

import numpy as np
import pytest
from numpy.typing import NDArray

from tellapart.errors import DatasetError
from tellapart.judging.judge import judge
from tellapart.judging.metrics import log_loss, macro_f1

LETTERS = tuple("abcdefghij")


def answers(n: int, k: int, *, seed: int = 0) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Labels int64 (n,) and probabilities float64 (n, k) that are right about two times in three."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(k, size=n)
    logits = rng.normal(size=(n, k)) + 2 * np.eye(k)[labels]
    weights = np.exp(logits)
    return labels, weights / weights.sum(axis=1, keepdims=True)


def test_json_has_the_shape_of_the_contract() -> None:
    labels, probs = answers(60, 4)
    facts = judge(labels, probs, LETTERS[:4]).as_json()
    assert list(facts) == ["n", "accuracy", "macro_f1", "log_loss", "top_3"]
    assert facts["n"] == 60
    for name in ("accuracy", "macro_f1", "log_loss", "top_3"):
        estimate = facts[name]
        assert isinstance(estimate, dict)
        assert list(estimate) == ["value", "low", "high"]
        assert {type(number) for number in estimate.values()} == {float}
    assert json.loads(json.dumps(facts)) == facts


def test_detailed_json_adds_the_confusion_and_the_classes() -> None:
    labels, probs = answers(60, 4)
    evaluation = judge(labels, probs, LETTERS[:4])
    facts = json.loads(json.dumps(evaluation.as_json(detailed=True)))
    assert facts["classes"] == ["a", "b", "c", "d"]
    assert facts["confusion"] == evaluation.confusion.tolist()
    assert np.sum(facts["confusion"], axis=1).tolist() == np.bincount(labels, minlength=4).tolist()


@pytest.mark.parametrize("k", [1, 2, 3])
def test_top_3_is_absent_where_it_would_always_be_right(k: int) -> None:
    labels, probs = answers(20, k)
    evaluation = judge(labels, probs, LETTERS[:k])
    assert evaluation.top_3 is None
    assert "top_3" not in evaluation.as_json()


def test_values_are_those_of_the_metrics() -> None:
    labels, probs = answers(500, 10)
    evaluation = judge(labels, probs, LETTERS)
    assert evaluation.accuracy.value == np.mean(probs.argmax(axis=1) == labels)
    assert evaluation.macro_f1.value == macro_f1(evaluation.confusion)
    assert evaluation.log_loss.value == log_loss(labels, probs)


@pytest.mark.parametrize("kind", ["perfect", "constant", "wrong", "one picture", "single pictures"])
def test_degenerate_answers_have_values_inside_their_intervals(kind: str) -> None:
    labels = np.arange(40) % 5
    probs = np.eye(5)[labels]
    if kind == "constant":
        probs = np.tile([0.2], (40, 5))
    elif kind == "wrong":
        probs = np.roll(probs, 1, axis=1)
    elif kind == "one picture":
        labels, probs = labels[:1], probs[:1]
    elif kind == "single pictures":
        labels, probs = labels[:5], np.roll(probs, 1, axis=1)[:5]
    evaluation = judge(labels, probs, LETTERS[:5])
    assert evaluation.top_3 is not None
    for estimate in (evaluation.accuracy, evaluation.macro_f1, evaluation.top_3, evaluation.log_loss):
        assert 0 <= estimate.low <= estimate.value <= estimate.high < np.inf
    for proportion in (evaluation.accuracy, evaluation.macro_f1, evaluation.top_3):
        assert proportion.high <= 1


def test_the_seed_decides_the_intervals_and_nothing_else() -> None:
    labels, probs = answers(200, 4)
    first, again, other = (judge(labels, probs, LETTERS[:4], seed=seed).as_json() for seed in (1, 1, 2))
    assert first == again
    assert first["log_loss"] != other["log_loss"]
    assert first["accuracy"] == other["accuracy"]


def test_ten_thousand_pictures_take_seconds() -> None:
    labels, probs = answers(10_000, 10)
    started = time.process_time()
    evaluation = judge(labels, probs.astype(np.float32), LETTERS)
    assert time.process_time() - started < 5
    assert evaluation.n == 10_000


def test_a_thousandth_of_rounding_is_taken() -> None:
    labels, probs = answers(100, 10)
    assert judge(labels, 1.0009 * probs, LETTERS).n == 100
    with pytest.raises(DatasetError, match=r"add up to 1\.0011"):
        judge(labels, 1.0011 * probs, LETTERS)


GOOD = np.array([[0.75, 0.25], [0.5, 0.5]])


@pytest.mark.parametrize(
    ("labels", "probs", "sentence"),
    [
        (np.array([], dtype=np.int64), np.zeros((0, 2)), "0 labels, at least 1"),
        (np.array([[0, 1]]), GOOD, r"shape \(1, 2\).*expected \(n,\)"),
        (np.array([0.0, 1.0]), GOOD, "type float64, expected .* whole numbers"),
        (np.array([0, 2]), GOOD, "from 0 to 2, expected 0 to 1 for 2 classes"),
        (np.array([-1, 1]), GOOD, "from -1 to 1, expected 0 to 1"),
        (np.array([0]), GOOD, r"shape \(2, 2\).*expected \(1, 2\)"),
        (np.array([0, 1]), np.full((2, 3), 1 / 3), r"shape \(2, 3\).*expected \(2, 2\)"),
        (np.array([0, 1]), GOOD > 0.5, "type bool"),
        (np.array([0, 1]), np.array([[np.nan, 1], [1, 0]]), "1 probabilities are infinite or not a number"),
        (np.array([0, 1]), np.array([[np.inf, 1], [1, 0]]), "infinite"),
        (np.array([0, 1]), np.array([[1.5, -0.5], [1, 0]]), "least probability is -0.5, expected 0 or more"),
        (np.array([0, 1]), np.array([[1, 0], [0.9, 0.2]]), "picture 1 add up to 1.1000, expected 1"),
    ],
)
def test_what_does_not_fit_is_refused_with_a_sentence(
    labels: NDArray[np.int64], probs: NDArray[np.float64], sentence: str
) -> None:
    with pytest.raises(DatasetError, match=sentence):
        judge(labels, probs, ("no", "yes"))
