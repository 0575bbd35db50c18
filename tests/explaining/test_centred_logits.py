"""Evidence, and ranges."""

import numpy as np
import pytest

from tellapart.explaining.centred_logits import SMALLEST, SMALLEST_SHARE, centred_logits, in_range, smallest


def test_after_a_softmax_evidence_is_the_logits_less_their_mean() -> None:
    logits = np.random.default_rng(0).normal(0, 8, (20, 5))
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(centred_logits(probabilities), logits - logits.mean(axis=1, keepdims=True), atol=1e-9)


def test_a_probability_of_0_is_no_infinite_evidence() -> None:
    found = centred_logits(np.array([[1.0, 0.0]], np.float32), least=1e-3)
    np.testing.assert_allclose(found, [[-np.log(1e-3) / 2, np.log(1e-3) / 2]])


def test_votes_have_a_coarser_0() -> None:
    assert [smallest(model) for model in ("knn", "forest", "logistic", "xception", None)] == [
        SMALLEST_SHARE,
        SMALLEST_SHARE,
        *[SMALLEST] * 3,
    ]


def test_a_range_ends_in_0_and_1() -> None:
    np.testing.assert_array_equal(in_range(np.array([[-2.0, 0.0, 2.0]])), [[0, 0.5, 1]])


@pytest.mark.parametrize("flat", [[[3.0, 3.0]], [[np.nan, 1.0]]])
def test_what_has_no_range_is_0_everywhere(flat: list[list[float]]) -> None:
    np.testing.assert_array_equal(in_range(np.array(flat)), [[0, 0]])
