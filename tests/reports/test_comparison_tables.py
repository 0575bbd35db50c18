"""A comparison as text: sentences that state no more than the tests show, and a table for each split."""

from dataclasses import replace
from pathlib import Path

import pytest

from tellapart.judging.intervals import Estimate
from tellapart.judging.paired import Comparison, McNemar
from tellapart.reports.compare import PairedTest, RunComparison, compare_runs
from tellapart.reports.comparison_tables import comparison_sentences, pairs_table, runs_table, settings_table
from tellapart.training.run import Run

from .made_up_runs import made_up_run, predictions

NO_DIFFERENCE = Estimate(0.0, -0.1, 0.1)
B_BETTER = Comparison(372, Estimate(0.021, 0.003, 0.039), NO_DIFFERENCE, McNemar(14, 6, 0.025))


@pytest.fixture(scope="module")
def compared(trained: Run, tmp_path_factory: pytest.TempPathFactory) -> RunComparison:
    folder = tmp_path_factory.mktemp("runs")
    first = made_up_run(folder / "a", trained, {"test": predictions(range(8)), "validation": predictions(range(6))})
    second = made_up_run(
        folder / "b", trained, {"test": predictions(range(11)), "validation": predictions(range(5))}, units=64
    )
    return compare_runs([first, second])


def sentences(compared: RunComparison, *pairs: PairedTest) -> list[str]:
    return list(comparison_sentences(replace(compared, pairs=pairs)))


def test_a_significant_difference_is_reported_with_its_interval_and_its_chance(compared: RunComparison) -> None:
    sentence = (
        "The accuracy of b is 2.1 points higher than that of a (0.3 to 3.9). By chance alone, a difference at least "
        "this large would occur once in 40 comparisons."
    )
    assert sentences(compared, PairedTest("b", "a", B_BETTER, 0.025)) == [sentence]


def test_the_better_run_is_named_in_either_order(compared: RunComparison) -> None:
    turned = replace(B_BETTER, accuracy_difference=Estimate(-0.021, -0.039, -0.003))
    assert sentences(compared, PairedTest("a", "b", turned, 0.025)) == sentences(
        compared, PairedTest("b", "a", B_BETTER, 0.025)
    )


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
def test_a_p_value_is_how_often_chance_alone_makes_such_a_difference(
    p_value: float, chance: str, compared: RunComparison
) -> None:
    (sentence,) = sentences(compared, PairedTest("b", "a", B_BETTER, p_value))
    assert f"would occur {chance}." in sentence
    assert ("no significant difference in accuracy on 372 test images" in sentence) is (p_value >= 0.05)


def test_of_several_tests_the_corrected_p_value_decides(compared: RunComparison) -> None:
    pair = PairedTest("b", "a", B_BETTER, 0.075)  # alone it would be 0.025
    assert all(
        "no significant difference" in sentence and "once in 13 rounds of 2 comparisons" in sentence
        for sentence in sentences(compared, pair, pair)
    )


def test_an_equal_number_correct_is_stated(compared: RunComparison) -> None:
    even = replace(B_BETTER, accuracy_difference=Estimate(0.0, -0.02, 0.02), mcnemar=McNemar(6, 6, 1.0))
    (sentence,) = sentences(compared, PairedTest("b", "a", even, 1.0))
    assert sentence.endswith("test images; both have the same number correct (-2.0 to 2.0 points).")


def test_better_probabilities_are_reported_only_for_enough_images(compared: RunComparison) -> None:
    better = replace(B_BETTER, log_loss_difference=Estimate(-0.05, -0.08, -0.02))
    added = " The probabilities of b are better: its log-loss is 0.050 lower (0.020 to 0.080)."
    plain = sentences(compared, PairedTest("b", "a", B_BETTER, 0.025))[0]
    assert sentences(compared, PairedTest("b", "a", better, 0.025)) == [plain + added]
    assert added not in sentences(compared, PairedTest("b", "a", replace(better, n=29), 0.025))[0]


def test_test_and_validation_have_tables_of_their_own(compared: RunComparison) -> None:
    assert compared.validation
    test, validation = (runs_table(compared.runs, split) for split in (compared.test, compared.validation))
    assert test.header == ("run", "model", "size", "accuracy", "macro F1", "log-loss", "calibration error")
    assert [row[:3] for row in test.rows] == [("a", "mlp", "20 px"), ("b", "mlp", "20 px")]
    assert [row[3].split()[0] for row in test.rows] == ["40.0%", "55.0%"]
    assert [row[3].split()[0] for row in validation.rows] == ["30.0%", "25.0%"]
    assert test.rows[0][3] == "40.0% (21.9 to 61.3)"  # Wilson's interval of 8 in 20


def test_a_pair_is_a_row_and_several_have_the_corrected_value_too(compared: RunComparison) -> None:
    table = pairs_table(compared)
    assert table.header == ("runs", "accuracy, points", "log-loss", "only one correct", "McNemar's p")
    (row,) = table.rows
    assert row[0] == "b vs a"
    assert row[1].startswith("+15.0 (")
    assert row[3:] == ("3 : 0", "0.2500")
    certain = replace(
        compared.pairs[0], comparison=replace(compared.pairs[0].comparison, mcnemar=McNemar(40, 0, 2 / 2**40))
    )
    assert pairs_table(replace(compared, pairs=(certain,))).rows[0][3:] == ("40 : 0", "< 0.0001")
    several = pairs_table(replace(compared, pairs=compared.pairs * 2))
    assert several.header[-1] == "Holm's p"
    assert len(several.rows[0]) == len(several.header)


def test_only_settings_that_differ_are_listed_and_the_bundles_sizes(compared: RunComparison, tmp_path: Path) -> None:
    table = settings_table(compared.runs)
    assert table.header == ("", "a", "b")
    assert [row[0] for row in table.rows] == ["units", "bundle"]
    assert table.rows[0] == ("units", "128", "64")
    assert table.rows[1][1].endswith(" MB")
