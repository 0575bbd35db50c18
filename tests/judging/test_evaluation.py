"""The public function `judge`: the evaluation it returns and the inputs it refuses."""

import json
import time

import numpy as np
import pytest
from numpy.typing import NDArray

from tellapart.errors import DatasetError
from tellapart.judging import evaluation as evaluation_module
from tellapart.judging import metrics as metrics_module
from tellapart.judging import ranking as ranking_module
from tellapart.judging.evaluation import METRICS, judge
from tellapart.judging.intervals import wilson
from tellapart.judging.metrics import brier, ece, log_loss, macro_f1

LETTERS = tuple("abcdefghij")
MINIMUM = {"matthews": -1}
MAXIMUM = {"log_loss": 37, "brier": 2}


def predictions(n: int, k: int, *, seed: int = 0) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Labels int64 (n,) and probabilities float64 (n, k) that are correct about two times in three."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(k, size=n)
    logits = rng.normal(size=(n, k)) + 2 * np.eye(k)[labels]
    weights = np.exp(logits)
    return labels, weights / weights.sum(axis=1, keepdims=True)


def test_json_has_an_estimate_for_each_metric() -> None:
    labels, probs = predictions(60, 4)
    metrics = judge(labels, probs, LETTERS[:4]).as_json()
    assert list(metrics) == ["n", *METRICS]
    assert metrics["n"] == 60
    for name in METRICS:
        estimate = metrics[name]
        assert isinstance(estimate, dict)
        assert list(estimate) == ["value", "low", "high"]
        assert {type(number) for number in estimate.values()} == {float}
    assert json.loads(json.dumps(metrics)) == metrics


def test_detailed_json_adds_the_confusion_and_the_classes() -> None:
    labels, probs = predictions(60, 4)
    evaluation = judge(labels, probs, LETTERS[:4])
    metrics = json.loads(json.dumps(evaluation.as_json(detailed=True)))
    assert metrics["classes"] == ["a", "b", "c", "d"]
    assert metrics["confusion"] == evaluation.confusion.tolist()
    assert np.sum(metrics["confusion"], axis=1).tolist() == np.bincount(labels, minlength=4).tolist()
    assert [scores["name"] for scores in metrics["per_class"]] == metrics["classes"]
    assert sum(scores["n"] for scores in metrics["per_class"]) == 60
    assert metrics["per_class"][0]["recall"].keys() == {"value", "low", "high"}
    assert not {"labels", "probs"} & metrics.keys()


def test_of_thousands_of_classes_the_json_has_the_cells_that_are_not_empty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluation_module, "MAX_MATRIX_CLASSES", 3)
    labels, probs = predictions(60, 4)
    evaluation = judge(labels, probs, LETTERS[:4])
    metrics = json.loads(json.dumps(evaluation.as_json(detailed=True)))
    assert metrics["confusion"] is None
    assert {(i, j): count for i, j, count in metrics["confusion_cells"]} == {
        (i, j): evaluation.confusion[i, j] for i, j in np.argwhere(evaluation.confusion).tolist()
    }


def test_blocks_and_float32_change_no_metric(monkeypatch: pytest.MonkeyPatch) -> None:
    labels, probs = predictions(60, 5)
    probs = probs.astype(np.float32)
    plain = judge(labels, probs, LETTERS[:5]).as_json(detailed=True)
    for module, name, number in (
        (metrics_module, "BLOCK_NUMBERS", 12),
        (ranking_module, "BLOCK", 2),
        (evaluation_module, "MAX_DOUBLED", 10),
    ):
        monkeypatch.setattr(module, name, number)
    large = judge(labels, probs, LETTERS[:5])
    assert large.as_json(detailed=True) == plain
    assert large.probs.dtype == np.float32


@pytest.mark.parametrize("k", [1, 2, 3])
def test_top_3_is_absent_where_it_would_always_be_1(k: int) -> None:
    labels, probs = predictions(20, k)
    evaluation = judge(labels, probs, LETTERS[:k])
    assert evaluation.top_3 is None
    assert "top_3" not in evaluation.as_json()


def test_values_are_those_of_the_metrics() -> None:
    labels, probs = predictions(500, 10)
    evaluation = judge(labels, probs, LETTERS)
    assert evaluation.accuracy.value == np.mean(probs.argmax(axis=1) == labels)
    assert evaluation.macro_f1.value == macro_f1(evaluation.confusion)
    assert evaluation.log_loss.value == log_loss(labels, probs)
    assert evaluation.brier.value == brier(labels, probs)
    assert evaluation.ece.value == pytest.approx(ece(labels, probs), abs=1e-15)
    assert evaluation.macro_recall == evaluation.balanced_accuracy
    recalls = [scores.recall.value for scores in evaluation.per_class if scores.recall]
    assert evaluation.macro_recall.value == pytest.approx(np.mean(recalls))
    aucs = [scores.roc_auc.value for scores in evaluation.per_class if scores.roc_auc]
    assert evaluation.roc_auc is not None
    assert evaluation.roc_auc.value == pytest.approx(np.mean(aucs))


def test_an_evaluation_has_its_labels_and_probabilities() -> None:
    labels, probs = predictions(50, 3)
    evaluation = judge(labels.astype(np.int32), probs.astype(np.float32), LETTERS[:3])
    assert (str(evaluation.labels.dtype), str(evaluation.probs.dtype)) == ("int64", "float64")
    np.testing.assert_array_equal(evaluation.labels, labels)
    np.testing.assert_array_equal(evaluation.probs, probs.astype(np.float32))


def test_other_metrics_show_what_accuracy_hides_with_a_rare_class() -> None:
    labels = np.repeat([0, 1], [990, 10])
    evaluation = judge(labels, np.tile([0.99, 0.01], (1_000, 1)), ("healthy", "ill"))
    assert evaluation.accuracy.value == 0.99
    assert evaluation.balanced_accuracy.value == 0.5
    assert evaluation.macro_f1.value < 0.5
    assert evaluation.weighted_f1.value > 0.98
    assert evaluation.roc_auc is not None
    assert evaluation.pr_auc is not None
    assert evaluation.matthews is not None
    assert (evaluation.roc_auc.value, evaluation.matthews.value) == (0.5, 0)
    assert evaluation.pr_auc.value == pytest.approx(0.01)  # the share of the ill: chance
    assert evaluation.ece.value == pytest.approx(0, abs=1e-12)
    ill = evaluation.per_class[1]
    assert (ill.precision, ill.recall) == (None, wilson(0, 10))


def test_with_two_classes_the_areas_are_those_of_the_second() -> None:
    labels, probs = predictions(100, 2)
    evaluation = judge(labels, probs, ("no", "yes"))
    no, yes = evaluation.per_class
    assert evaluation.roc_auc == yes.roc_auc
    assert evaluation.pr_auc == yes.pr_auc != no.pr_auc


def test_an_absent_class_has_no_scores_and_is_in_no_mean() -> None:
    labels, probs = predictions(80, 4)
    few = labels < 3
    evaluation = judge(labels[few], probs[few], LETTERS[:4])
    absent = evaluation.per_class[3]
    assert (absent.n, absent.recall, absent.f1, absent.roc_auc, absent.pr_auc) == (0, None, None, None, None)
    assert evaluation.roc_auc is not None
    present = [scores.roc_auc.value for scores in evaluation.per_class[:3] if scores.roc_auc]
    assert evaluation.roc_auc.value == pytest.approx(np.mean(present))
    assert "NaN" not in json.dumps(evaluation.as_json(detailed=True))


def test_a_single_class_has_no_areas_and_no_correlation() -> None:
    labels, probs = np.zeros(30, dtype=np.int64), predictions(30, 3)[1]
    evaluation = judge(labels, probs, LETTERS[:3])
    assert (evaluation.roc_auc, evaluation.pr_auc, evaluation.matthews) == (None, None, None)
    assert not {"roc_auc", "pr_auc", "matthews"} & evaluation.as_json().keys()


@pytest.mark.parametrize("kind", ["perfect", "constant", "wrong", "one image", "single images"])
def test_degenerate_predictions_have_values_inside_their_intervals(kind: str) -> None:
    labels = np.arange(40) % 5
    probs = np.eye(5)[labels]
    if kind == "constant":
        probs = np.tile([0.2], (40, 5))
    elif kind == "wrong":
        probs = np.roll(probs, 1, axis=1)
    elif kind == "one image":
        labels, probs = labels[:1], probs[:1]
    elif kind == "single images":
        labels, probs = labels[:5], np.roll(probs, 1, axis=1)[:5]
    evaluation = judge(labels, probs, LETTERS[:5])
    assert evaluation.top_3 is not None
    for name in METRICS:
        estimate = getattr(evaluation, name)
        if estimate is None:
            assert (kind, name) in {("one image", absent) for absent in ("roc_auc", "pr_auc", "matthews")}
            continue
        assert MINIMUM.get(name, 0) <= estimate.low <= estimate.value <= estimate.high <= MAXIMUM.get(name, 1)
        assert {type(end) for end in estimate.as_json().values()} == {float}


def test_the_seed_determines_the_intervals_only() -> None:
    labels, probs = predictions(200, 4)
    first, again, other = (judge(labels, probs, LETTERS[:4], seed=seed).as_json() for seed in (1, 1, 2))
    assert first == again
    assert first["log_loss"] != other["log_loss"]
    assert first["accuracy"] == other["accuracy"]


def test_ten_thousand_images_take_seconds() -> None:
    labels, probs = predictions(10_000, 10)
    started = time.process_time()
    evaluation = judge(labels, probs.astype(np.float32), LETTERS)
    assert time.process_time() - started < 5
    assert evaluation.n == 10_000


def test_rounding_of_a_thousandth_is_accepted() -> None:
    labels, probs = predictions(100, 10)
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
        (np.array([0, 1]), np.array([[1, 0], [0.9, 0.2]]), "image 1 add up to 1.1000, expected 1"),
    ],
)
def test_arrays_that_do_not_match_are_refused(
    labels: NDArray[np.int64], probs: NDArray[np.float64], sentence: str
) -> None:
    with pytest.raises(DatasetError, match=sentence):
        judge(labels, probs, ("no", "yes"))
