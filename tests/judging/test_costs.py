"""Costs: tables as people and spreadsheets write them, and decisions computed by hand."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from numpy.typing import NDArray

from tellapart.errors import DatasetError
from tellapart.judging.costs import cheapest_classes, compare_decisions, expected_cost, read_costs
from tellapart.judging.intervals import wilson
from tellapart.judging.thresholds import choose_threshold

CLASSES = ("cat", "dog", "hat, tall")
TABLE = np.array([[0.0, 1.0, 2.5], [3.0, 0.0, 4.0], [0.5, 6.0, 0.0]])
COMMAS = 'true,cat,dog,"hat, tall"\ncat,0,1,2.5\ndog,3,0,4\n"hat, tall",0.5,6,0\n'
MISSED = np.array([[0.0, 1.0], [9.0, 0.0]])  # a missed positive costs nine false alarms


def written(folder: Path, content: str | bytes) -> Path:
    path = folder / "costs.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


@pytest.mark.parametrize(
    "content",
    [
        COMMAS,
        COMMAS.replace("\n", "\r\n"),
        "\ufeff" + COMMAS,
        COMMAS.rstrip("\n"),
        ",dog,cat,'hat, tall'\ndog,0,3,4\n'hat, tall',6,0.5,0\ncat,1,0,2.5\n".replace("'", '"'),
        "\ufeff;cat;dog;hat, tall\r\ncat;0;1;2,5\r\ndog;3;0;4,0\r\nhat, tall;0,5;6;0\r\n",
        '\ufeff"true, predicted"' + COMMAS.removeprefix("true"),
        "\tcat\tdog\that, tall\ncat\t0\t1\t2.5\ndog\t3\t0\t4\nhat, tall\t0.5\t6\t0\n",
        ' , cat , dog ,"hat, tall",,\n\n cat , 0 , 1 , 2.5 ,,\n,,,,,\ndog,3e0,0,4,,\n"hat, tall",.5,6,0,,\n,,\n',
    ],
    ids=[
        "commas",
        "windows",
        "mark",
        "no last line end",
        "any order",
        "semicolons",
        "mark and quotes",
        "tabs",
        "blanks",
    ],
)
def test_tables_are_read_in_the_order_of_the_classes(tmp_path: Path, content: str) -> None:
    costs = read_costs(written(tmp_path, content), CLASSES)
    assert costs.dtype == np.float64
    np.testing.assert_array_equal(costs, TABLE)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("", "is empty"),
        ("\n,,\n", "is empty"),
        ("a,no,yes\nno,0,1\n", "first column: as true class, yes is missing"),
        ("a,no\nno,0\nyes,1\n", "line 1: as predicted class, yes is missing"),
        ("a,no,yess\nno,0,1\nyes,1,0\n", "predicted class, 'yess' is not a class of this classifier: did you mean yes"),
        ("a,no,yes\nno,0,1\nyes,1,0\nyeti,1,0\n", "true class, 'yeti' is not a class"),
        ("a,no,yes,no\nno,0,1,1\nyes,1,0,1\n", "predicted class, 'no' is there 2 times"),
        ("a,no,yes\nno,0,1\nyes,1,0\nno,0,1\n", "true class, 'no' is there 2 times"),
        ("a,no,yes\nno,0,one\nyes,1,0\n", "line 2: the cost of predicting yes for no is 'one', expected a number"),
        ("a,no,yes\nno,0,1\nyes,,0\n", "line 3: the cost of predicting no for yes is ''"),
        ("a,no,yes\nno,0,\nyes,1,0\n", "line 2 has 1 costs, expected 2"),
        ("a,no,yes\nno,0,1,5\nyes,1,0\n", "line 2 has 3 costs, expected 2"),
        ("a,no,yes\nno,0,-1\nyes,1,0\n", "yes for no is -1, expected a finite number of 0 or more"),
        ("a,no,yes\nno,0,nan\nyes,1,0\n", "is nan"),
        ("a,no,yes\nno,0,inf\nyes,1,0\n", "is inf"),
        ('a,no,yes\nno,0,"1,5"\nyes,1,0\n', "is '1,5', expected a number"),
        ("a,no,yes\nno,0," + 200_000 * "1", "is not a CSV file: line 2"),
        ("a,nö,yes\n".encode("latin-1"), "not text in UTF-8"),
    ],
)
def test_an_invalid_table_of_costs_is_refused(tmp_path: Path, content: str | bytes, sentence: str) -> None:
    with pytest.raises(DatasetError, match=sentence):
        read_costs(written(tmp_path, content), ("no", "yes"))


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"nowhere\.csv cannot be read: No such file"):
        read_costs(tmp_path / "nowhere.csv", CLASSES)


def test_expected_cost_is_the_mean_over_images() -> None:
    labels, predicted = np.array([0, 0, 1, 2]), np.array([0, 2, 0, 1])
    estimate = expected_cost(labels, predicted, TABLE)
    assert estimate.value == (0 + 2.5 + 3 + 6) / 4
    assert estimate.low < estimate.value < estimate.high
    assert expected_cost(labels, predicted, TABLE) == estimate


def test_without_a_mistake_the_upper_end_still_allows_for_some() -> None:
    labels = np.array([0, 1, 2, 2, 1])
    estimate = expected_cost(labels, labels, TABLE)
    assert (estimate.value, estimate.low) == (0, 0)
    assert estimate.high == pytest.approx(6 * wilson(0, 5).high)
    assert expected_cost(labels, labels, TABLE + 2).high == pytest.approx(2 + estimate.high)
    decisions = compare_decisions(labels, np.eye(3)[labels], TABLE)
    assert decisions.likeliest == decisions.cheapest == estimate


def test_the_cheapest_class_is_chosen() -> None:
    probs = np.array([[0.95, 0.05], [0.85, 0.15], [0.2, 0.8]], dtype=np.float32)
    assert cheapest_classes(probs, MISSED).tolist() == [0, 1, 1]  # from 1 in 10 on, an alarm is cheaper


def test_rounding_does_not_decide_between_equals() -> None:
    probs = np.array([[0.35, 0.35, 0.1, 0.2]])  # their expected costs differ in the last digit, and the wrong way
    assert cheapest_classes(probs, 1 - np.eye(4)).tolist() == [0]


@given(
    weights=npst.arrays(np.float64, (6, 3), elements=st.sampled_from([0.1, 0.2, 0.3, 1.0, 7.0])),
    price=st.sampled_from([0.0, 0.1, 1.0, 1e9]),
    kind=st.sampled_from([np.float32, np.float64]),
)
def test_where_every_mistake_costs_the_same_the_likeliest_class_is_taken(
    weights: NDArray[np.float64], price: float, kind: type[np.floating]
) -> None:
    probs = (weights / weights.sum(axis=1, keepdims=True)).astype(kind)
    np.testing.assert_array_equal(cheapest_classes(probs, price * (1 - np.eye(3))), probs.argmax(axis=1))


def test_deciding_by_cost_saves_where_the_rare_class_is_dear_though_accuracy_falls() -> None:
    rng = np.random.default_rng(0)
    chance = rng.beta(0.5, 5, size=2_000)
    labels = (rng.random(2_000) < chance).astype(np.int64)
    probs = np.stack([1 - chance, chance], axis=1)
    decisions = compare_decisions(labels, probs, MISSED)
    assert decisions.difference.value == pytest.approx(decisions.cheapest.value - decisions.likeliest.value)
    assert decisions.difference.high < 0
    assert np.mean(cheapest_classes(probs, MISSED) == labels) < np.mean(probs.argmax(axis=1) == labels)
    # The best threshold on these very images can be no worse than the one that theory gives.
    assert choose_threshold(labels, chance, criterion="cost", costs=MISSED).objective <= decisions.cheapest.value


def test_equal_decisions_have_no_difference() -> None:
    decisions = compare_decisions(np.array([0, 1, 1]), np.array([[0.9, 0.1], [0.2, 0.8], [0.7, 0.3]]), 1 - np.eye(2))
    assert decisions.likeliest == decisions.cheapest
    assert (decisions.difference.low, decisions.difference.high) == (0, 0)
