"""A comparison in words: sentences that say no more than was shown, tables that keep the splits apart."""

from dataclasses import replace
from pathlib import Path

import pytest

from tellapart.judging.intervals import Estimate
from tellapart.judging.paired import Comparison, McNemar
from tellapart.reports.compare import Compared, Pair, compare_runs
from tellapart.reports.comparison_words import pairs_table, runs_table, sentences, settings_table
from tellapart.training.run import Run

from .rivals import made_up, said

NO_MATTER = Estimate(0.0, -0.1, 0.1)
B_LEADS = Comparison(372, Estimate(0.021, 0.003, 0.039), NO_MATTER, McNemar(14, 6, 0.025))


@pytest.fixture(scope="module")
def compared(trained: Run, tmp_path_factory: pytest.TempPathFactory) -> Compared:
    folder = tmp_path_factory.mktemp("runs")
    one = made_up(folder / "a", trained, {"test": said(range(8)), "validation": said(range(6))})
    other = made_up(folder / "b", trained, {"test": said(range(11)), "validation": said(range(5))}, units=64)
    return compare_runs([one, other])


def says(compared: Compared, *pairs: Pair) -> list[str]:
    return list(sentences(replace(compared, pairs=pairs)))


def test_a_difference_that_was_shown_is_told_with_its_interval_and_its_chance(compared: Compared) -> None:
    lead = "b gets 2.1 points more right than a (0.3 to 3.9), which chance would do once in 40 comparisons."
    assert says(compared, Pair("b", "a", B_LEADS, 0.025)) == [lead]


def test_the_better_one_is_named_whichever_comes_first(compared: Compared) -> None:
    turned = replace(B_LEADS, accuracy_difference=Estimate(-0.021, -0.039, -0.003))
    assert says(compared, Pair("a", "b", turned, 0.025)) == says(compared, Pair("b", "a", B_LEADS, 0.025))


@pytest.mark.parametrize(
    ("p_value", "chance"),
    [
        (0.0249, "once in 40 comparisons"),
        (0.00012345, "once in 8,100 comparisons"),
        (1e-9, "less than once in 1,000,000 comparisons"),
        (0.0, "less than once in 1,000,000 comparisons"),
        (0.11, "once in 9 comparisons"),
        (0.7, "more often than not"),
    ],
)
def test_a_p_value_is_how_often_chance_does_as_much(p_value: float, chance: str, compared: Compared) -> None:
    (sentence,) = says(compared, Pair("b", "a", B_LEADS, p_value))
    assert f"which chance would do {chance}." in sentence
    assert ("no difference in accuracy that 372 test images could show" in sentence) is (p_value >= 0.05)


def test_of_several_tests_the_corrected_p_value_decides(compared: Compared) -> None:
    pair = Pair("b", "a", B_LEADS, 0.075)  # alone it would be 0.025
    assert all(
        "no difference" in sentence and "once in 13 rounds of 2 comparisons" in sentence
        for sentence in says(compared, pair, pair)
    )


def test_equally_many_right_is_said_as_that(compared: Compared) -> None:
    even = replace(B_LEADS, accuracy_difference=Estimate(0.0, -0.02, 0.02), mcnemar=McNemar(6, 6, 1.0))
    (sentence,) = says(compared, Pair("b", "a", even, 1.0))
    assert sentence.endswith("could show; they get equally many right (-2.0 to 2.0 points).")


def test_better_probabilities_are_told_only_where_the_images_suffice(compared: Compared) -> None:
    better = replace(B_LEADS, log_loss_difference=Estimate(-0.05, -0.08, -0.02))
    added = " The probabilities of b fit better: log-loss is 0.050 lower than a's (0.020 to 0.080)."
    plain = says(compared, Pair("b", "a", B_LEADS, 0.025))[0]
    assert says(compared, Pair("b", "a", better, 0.025)) == [plain + added]
    assert added not in says(compared, Pair("b", "a", replace(better, n=29), 0.025))[0]


def test_test_and_validation_stand_in_tables_of_their_own(compared: Compared) -> None:
    assert compared.validation
    test, validation = (runs_table(compared.contenders, side) for side in (compared.test, compared.validation))
    assert test.header == ("run", "model", "size", "accuracy", "macro F1", "log-loss", "calibration error")
    assert [row[:3] for row in test.rows] == [("a", "mlp", "20 px"), ("b", "mlp", "20 px")]
    assert [row[3].split()[0] for row in test.rows] == ["40.0%", "55.0%"]
    assert [row[3].split()[0] for row in validation.rows] == ["30.0%", "25.0%"]
    assert test.rows[0][3] == "40.0% (21.9 to 61.3)"  # Wilson's interval of 8 in 20


def test_a_pair_is_a_row_and_several_have_the_corrected_value_too(compared: Compared) -> None:
    table = pairs_table(compared)
    assert table.header == ("run against run", "accuracy, points", "log-loss", "only one right", "McNemar's p")
    (row,) = table.rows
    assert row[0] == "b against a"
    assert row[1].startswith("+15.0 (")
    assert row[3:] == ("3 : 0", "0.2500")
    certain = replace(compared.pairs[0], found=replace(compared.pairs[0].found, mcnemar=McNemar(40, 0, 2 / 2**40)))
    assert pairs_table(replace(compared, pairs=(certain,))).rows[0][3:] == ("40 : 0", "< 0.0001")
    several = pairs_table(replace(compared, pairs=compared.pairs * 2))
    assert several.header[-1] == "Holm's p"
    assert len(several.rows[0]) == len(several.header)


def test_only_settings_that_differ_are_listed_and_the_bundles_sizes(compared: Compared, tmp_path: Path) -> None:
    table = settings_table(compared.contenders)
    assert table.header == ("", "a", "b")
    assert [row[0] for row in table.rows] == ["units", "bundle"]
    assert table.rows[0] == ("units", "128", "64")
    assert table.rows[1][1].endswith(" MB")
