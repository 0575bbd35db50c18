"""Centred logits, and rescaling."""

import numpy as np
import pytest

from tellapart.explaining.centred_logits import MIN_PROB, MIN_VOTE_SHARE, centred_logits, min_probability, rescale


def test_after_a_softmax_they_are_the_logits_minus_their_mean() -> None:
    logits = np.random.default_rng(0).normal(0, 8, (20, 5))
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(centred_logits(probabilities), logits - logits.mean(axis=1, keepdims=True), atol=1e-9)


def test_a_probability_of_0_is_not_infinite() -> None:
    logits = centred_logits(np.array([[1.0, 0.0]], np.float32), min_prob=1e-3)
    np.testing.assert_allclose(logits, [[-np.log(1e-3) / 2, np.log(1e-3) / 2]])


def test_votes_have_a_larger_minimum() -> None:
    assert [min_probability(model) for model in ("knn", "forest", "logistic", "xception", None)] == [
        MIN_VOTE_SHARE,
        MIN_VOTE_SHARE,
        *[MIN_PROB] * 3,
    ]


def test_scores_are_rescaled_to_0_and_1() -> None:
    np.testing.assert_array_equal(rescale(np.array([[-2.0, 0.0, 2.0]])), [[0, 0.5, 1]])


@pytest.mark.parametrize("flat", [[[3.0, 3.0]], [[np.nan, 1.0]]])
def test_scores_without_a_range_become_0(flat: list[list[float]]) -> None:
    np.testing.assert_array_equal(rescale(np.array(flat)), [[0, 0]])
