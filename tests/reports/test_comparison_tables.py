"""A comparison as text: sentences that state no more than the tests show, and a table for each split."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tellapart.errors import StorageError
from tellapart.judging.intervals import Estimate
from tellapart.judging.paired import Comparison, McNemar
from tellapart.reports.compare import PairedTest, RunComparison, compare_runs
from tellapart.reports.comparison_tables import (
    comparison_html,
    comparison_sentences,
    pairs_table,
    runs_table,
    settings_table,
    write_comparison,
)
from tellapart.reports.report_page import MAX_BYTES
from tellapart.training.run import Run

from .histories import epochs, write_history
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


HOSTILE = "<img src=x onerror=alert(1)>&<b>"
Runs = Callable[..., RunComparison]


@pytest.fixture(scope="module")
def runs(trained: Run, tmp_path_factory: pytest.TempPathFactory) -> Runs:
    """Compare runs of those names, the first of which has a learning curve."""

    def compare(*names: str, validation: bool = True) -> RunComparison:
        folder = tmp_path_factory.mktemp("runs")
        predictions_of_runs = [
            {"test": predictions(range(9 + number))}
            | ({"validation": predictions(range(3 + number))} if validation else {})
            for number in range(len(names))
        ]
        folders = [
            made_up_run(folder / name, trained, stored) for name, stored in zip(names, predictions_of_runs, strict=True)
        ]
        write_history(folders[0] / "history.csv", epochs(0.2, 0.4))
        return compare_runs(folders)

    return compare


OVERFLOWING = """() => [...document.querySelectorAll("nav *, main *")]
    .filter((one) => !one.closest(".wide table, .plot") && one.checkVisibility())
    .filter((one) => one.getBoundingClientRect().right > innerWidth + 0.5 || one.getBoundingClientRect().left < -0.5)
    .map((one) => one.outerHTML.slice(0, 200))"""


@pytest.mark.parametrize("names", [("a", "b"), (HOSTILE, "x" * 200)], ids=["plain", "hostile"])
def test_the_page_is_complete_without_a_network_and_names_are_text(
    names: tuple[str, ...], runs: Runs, page: Page, tmp_path: Path
) -> None:
    path = tmp_path / "compare.html"
    write_comparison(runs(*names), path)
    assert path.stat().st_size < MAX_BYTES
    page.goto(path.as_uri())
    expect(page.locator(".plot")).to_have_count(4)
    expect(page.locator(".plot:not(:has(.main-svg))")).to_have_count(0)
    assert page.evaluate(OVERFLOWING) == []
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    assert page.locator("script:not([type])").count() == 2
    assert page.locator("b, img").count() == 0
    expect(page.locator("#test tbody th")).to_have_text(list(names))
    expect(page.locator("#better li")).to_contain_text(f"{names[1]} and {names[0]}: no significant difference")


def test_validation_and_test_have_sections_of_their_own(runs: Runs) -> None:
    html = comparison_html(runs("a", "b"), created="now")
    by_section = dict(re.findall(r'<section id="(\w+)">(.*?)</section>', html, re.DOTALL))
    assert list(by_section) == ["better", "test", "validation", "learning", "settings"]
    assert all(value in by_section["test"] for value in ("45.0%", "50.0%"))
    assert all(value in by_section["validation"] for value in ("15.0%", "20.0%"))
    for table in re.findall(r"<table.*?</table>", html, re.DOTALL):
        assert not ("45.0%" in table and "15.0%" in table)
    assert "15.0%" not in by_section["test"] + by_section["better"]
    assert re.findall(r'href="#(\w+)"', html) == list(by_section)


def test_an_absent_split_has_no_section_and_a_note_gives_the_reason(runs: Runs) -> None:
    html = comparison_html(runs("a", "b", validation=False), created="now")
    assert 'id="validation"' not in html
    assert "share no validation image" in html


def test_more_than_four_runs_name_the_one_that_they_are_tested_against(runs: Runs) -> None:
    html = comparison_html(runs(*"abcde"), created="now")
    assert "<h1><bdi>5 runs</bdi></h1>" in html
    assert re.search(r"tested against <bdi>e</bdi>, the best one on the validation images", html)
    assert html.count(" vs e</bdi>") == 4
    assert "Holm's p" in html.replace("&#39;", "'")


def test_runs_without_any_curve_have_no_such_section(runs: Runs) -> None:
    compared = runs("a", "b")
    (compared.runs[0].folder / "history.csv").unlink()
    assert 'id="learning"' not in comparison_html(compared, created="now")


def test_notes_are_text(runs: Runs) -> None:
    html = comparison_html(replace(runs("a", "b"), notes=("<script>alert(1)</script>",)), created="now")
    assert "<script>alert" not in html


def test_a_path_that_cannot_be_written_is_an_error(runs: Runs, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(StorageError):
        write_comparison(runs("a", "b"), tmp_path / "file" / "compare.html")
