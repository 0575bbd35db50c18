"""Intervals of images in groups: they cover the truth of other groups, and without groups they are the known ones."""

import math
from functools import partial
from statistics import NormalDist

import numpy as np
import pytest
from numpy.typing import NDArray

from tellapart.judging import per_class
from tellapart.judging.clustered import class_scores, confusion_statistics, draw_groups, means, proportion, variance
from tellapart.judging.confusion import class_counts, confusion_matrix
from tellapart.judging.evaluation import CONFUSION_STATISTICS, judge
from tellapart.judging.groups import Groups
from tellapart.judging.influence import influences
from tellapart.judging.intervals import bootstrap_means, wilson
from tellapart.judging.ranking import class_areas, roc_auc

Sizes = NDArray[np.int64]
SETS = 1_000
TRUTH, CORRELATION = 0.7, 0.15  # of the accuracy, and of two images of a group
DESIGNS = {
    "few": np.full(10, 30),
    "several": np.full(20, 15),
    "many": np.full(200, 8),
    "unequal": np.maximum(1, np.round(np.exp(np.random.default_rng(5).normal(3, 1, 46)))).astype(np.int64),
    "one huge": np.array([160, *[20] * 19]),
}
"""Images by group; the huge group has 30 % of them."""


def groups_of(sizes: Sizes) -> Groups:
    return Groups(np.repeat(np.arange(len(sizes)), sizes), len(sizes))


def group_rates(rng: np.random.Generator, count: int, mean: float = TRUTH) -> NDArray[np.float64]:
    """The accuracy in each group, such that hits are beta-binomial."""
    spread = 1 / CORRELATION - 1
    return rng.beta(mean * spread, (1 - mean) * spread, count)


@pytest.mark.parametrize("design", DESIGNS)
def test_an_accuracy_covers_that_of_other_groups(design: str) -> None:
    rng, groups = np.random.default_rng(11), groups_of(DESIGNS[design])
    covered = {"clustered": 0, "independent": 0}
    for _ in range(SETS):
        hits = rng.random(len(groups.index)) < group_rates(rng, groups.count)[groups.index]
        for name, known in (("clustered", groups), ("independent", None)):
            estimate = proportion(hits, known)
            covered[name] += estimate.low <= TRUTH <= estimate.high
    assert 930 <= covered["clustered"] <= 970, covered
    assert covered["independent"] < 870, covered


@pytest.mark.parametrize("design", ["few", "unequal", "one huge"])
def test_a_mean_loss_covers_that_of_other_groups(design: str) -> None:
    rng, groups = np.random.default_rng(12), groups_of(DESIGNS[design])
    strata = np.zeros(len(groups.index), np.intp)
    covered = 0
    for _ in range(SETS):
        losses = rng.exponential(rng.gamma(4, 1 / 4, groups.count)[groups.index])  # of mean 1, whatever the group
        (estimate,) = means([losses], strata, groups, rng=rng, resamples=200)
        covered += estimate.low <= 1 <= estimate.high
    # With one huge group the bootstrap is widened a little too much: that is the safe side.
    assert 930 <= covered <= (985 if design == "one huge" else 970)


@pytest.mark.parametrize("design", ["several", "unequal"])
def test_a_mean_f1_covers_that_of_other_groups(design: str) -> None:
    rng, groups = np.random.default_rng(13), groups_of(DESIGNS[design])
    classes, n = 3, len(groups.index)
    statistics = {"macro_f1": per_class.mean_f1}
    shares = np.full((classes, classes), (1 - TRUTH) / (classes - 1)) + np.diag([TRUTH - (1 - TRUTH) / 2] * classes)
    truth = float(per_class.mean_f1(class_counts(shares)))
    covered = 0
    for _ in range(SETS):
        labels = rng.integers(classes, size=n)
        hits = rng.random(n) < group_rates(rng, groups.count)[groups.index]
        predicted = np.where(hits, labels, (labels + rng.integers(1, classes, size=n)) % classes)
        found = confusion_statistics(labels, predicted, classes, statistics, groups, rng=rng, resamples=200)["macro_f1"]
        covered += found.low <= truth <= found.high
    assert 930 <= covered <= 970


def test_an_area_covers_that_of_other_groups() -> None:
    rng, groups = np.random.default_rng(14), groups_of(DESIGNS["several"])
    n, shift, apart = len(groups.index), 0.5, 1.2
    truth = NormalDist().cdf(apart / math.sqrt(2 + 2 * shift**2))
    covered = 0
    for _ in range(300):
        positive = rng.random(n) < 0.3
        scores = rng.normal(size=n) + rng.normal(0, shift, groups.count)[groups.index] + apart * positive
        estimate = class_areas(positive.astype(np.intp), np.stack([-scores, scores], axis=1), roc_auc, groups).by_class[
            1
        ]
        assert estimate is not None
        covered += estimate.low <= truth <= estimate.high
    assert 278 <= covered <= 296


def answers(n: int = 120, k: int = 4) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    rng = np.random.default_rng(0)
    labels = rng.integers(k, size=n)
    weights = np.exp(rng.normal(size=(n, k)) + 2 * np.eye(k)[labels])
    return labels, weights / weights.sum(axis=1, keepdims=True)


def test_groups_of_one_image_each_change_no_number() -> None:
    labels, probs = answers()
    plain, alone = (judge(labels, probs, tuple("abcd"), groups=groups) for groups in (None, np.arange(120)))
    found = alone.as_json(detailed=True)
    assert found.pop("groups") == 120
    assert [scores.pop("groups") for scores in found["per_class"]] == np.bincount(labels).tolist()  # type: ignore[attr-defined]
    assert found == plain.as_json(detailed=True)


def test_few_groups_widen_every_interval() -> None:
    labels, probs = answers()
    order = np.argsort(probs.argmax(axis=1) != labels, kind="stable")  # mistakes come together
    labels, probs = labels[order], probs[order]
    names = [f"sender {i // 10}" for i in range(120)]
    plain, grouped = judge(labels, probs, tuple("abcd")), judge(labels, probs, tuple("abcd"), groups=names)
    for name in (*CONFUSION_STATISTICS, "accuracy", "top_3", "log_loss", "brier", "roc_auc", "pr_auc", "ece"):
        wide, narrow = getattr(grouped, name), getattr(plain, name)
        assert wide.value == pytest.approx(narrow.value)
        assert wide.high - wide.low > 1.1 * (narrow.high - narrow.low), name
    assert grouped.as_json()["groups"] == 12
    assert "groups" not in plain.as_json()
    assert judge(labels, probs, tuple("abcd"), groups=names).as_json() == grouped.as_json()


def test_no_mistake_in_few_groups_is_as_few_images() -> None:
    labels = np.repeat([0, 1], 100)
    evaluation = judge(labels, np.eye(2)[labels], ("a", "b"), groups=np.arange(200) // 20)
    alone = judge(labels, np.eye(2)[labels], ("a", "b"))
    assert evaluation.accuracy.low < wilson(10, 10).low + 0.01 < alone.accuracy.low
    assert evaluation.macro_f1.low < 0.75 < alone.macro_f1.low
    assert evaluation.ece.high > alone.ece.high
    assert evaluation.roc_auc is not None
    assert evaluation.roc_auc.low < 0.9


def test_one_group_leaves_nearly_everything_open() -> None:
    estimate = proportion(np.arange(200) % 4 > 0, Groups.of(["a"] * 200, 200))
    assert estimate.low < 0.05
    assert estimate.high > 0.95


@pytest.mark.parametrize("name", CONFUSION_STATISTICS)
def test_influences_are_derivatives(name: str) -> None:
    rng = np.random.default_rng(2)
    labels = rng.integers(4, size=80)
    predicted = np.where(rng.random(80) < 0.6, labels, rng.integers(3, size=80))  # the last class is hardly predicted

    def value(weights: NDArray[np.float64]) -> float:
        matrix = np.zeros((4, 4))
        np.add.at(matrix, (labels, predicted), weights)
        return float(CONFUSION_STATISTICS[name](class_counts(matrix)))

    found = influences(name, labels, predicted, class_counts(confusion_matrix(labels, predicted, 4)))
    moved = [(value(1 + 1e-6 * np.eye(80)[i]) - value(np.ones(80))) / 1e-6 for i in range(80)]
    np.testing.assert_allclose(found, moved, atol=1e-6)


def test_the_variance_of_equal_groups_is_that_of_their_sums() -> None:
    values = np.repeat([-3.0, -1.0, 1.0, 3.0], 25) + np.tile([-0.5, 0.0, 0.0, 0.0, 0.5], 20)
    found, design = variance(values / 100, Groups.of(np.arange(100) // 25, 100))
    assert found == pytest.approx(np.var([-3, -1, 1, 3], ddof=1) / 4, rel=0.05)
    assert design.effect == pytest.approx(25, rel=0.05)


def test_drawn_groups_are_as_many_as_there_are() -> None:
    drawn = np.concatenate(list(draw_groups(Groups.of(list("aabbc"), 5), 2, rng=np.random.default_rng(0))))
    assert drawn.shape == (10_000, 3)
    assert (drawn.sum(axis=1) == 3).all()
    np.testing.assert_allclose(drawn.mean(axis=0), 1, atol=0.03)
    many = Groups(np.repeat(np.arange(2_000), 2), 2_000)
    assert sum(len(part) for part in draw_groups(many, 5_000, rng=np.random.default_rng(0))) == 2_000


def test_means_of_independent_images_are_those_of_the_bootstrap() -> None:
    values, strata = np.random.default_rng(3).random(60), np.repeat([0, 1], 30)
    draw = partial(np.random.default_rng, 0)
    assert means([values], strata, None, rng=draw()) == bootstrap_means([values], strata, rng=draw())


def test_classes_count_their_groups() -> None:
    labels, probs = answers()
    names = np.arange(120) // 6
    plain = judge(labels, probs, tuple("abcd")).per_class
    scores = class_scores(plain, labels, probs.argmax(axis=1), Groups.of(names, 120))
    assert [score.groups for score in scores] == [len({*names[labels == i]}) for i in range(4)]
    for score, before in zip(scores, plain, strict=True):
        for name in ("precision", "recall", "f1"):
            assert getattr(score, name).value == pytest.approx(getattr(before, name).value)
