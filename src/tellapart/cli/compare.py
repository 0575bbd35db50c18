"""`tellapart compare`."""

from pathlib import Path

from tellapart.cli.options import Json
from tellapart.cli.output import aligned, print_json
from tellapart.progress import notify
from tellapart.reports.compare import ComparedSplit, RunComparison, as_json, compare_runs
from tellapart.reports.comparison_tables import (
    comparison_sentences,
    pairs_table,
    runs_table,
    settings_table,
    write_comparison,
)
from tellapart.reports.report import Table
from tellapart.text import counted


def compare(*runs: Path, save: Path | None = None, json: Json = False) -> None:
    """Compare runs side by side, with paired tests on the test images they share.

        tellapart compare runs/a runs/b --save comparison.html

    Parameters
    ----------
    runs
        Folders of two or more finished runs. Of more than four, each is tested against the best on validation.
    save
        Write one HTML file that opens without a network: tables, tests, curves.
    """
    comparison = compare_runs(runs)
    if json:
        print_json(as_json(comparison))
    else:
        _print(comparison)
    if save is not None:
        write_comparison(comparison, save)
        notify(f"saved: {save}")


def _print(comparison: RunComparison) -> None:
    _print_split("test: images that no run was trained or chosen with", comparison, comparison.test)
    if comparison.validation:
        _print_split("validation: choices were made with these images", comparison, comparison.validation)
    print(f"what differs\n{_text(settings_table(comparison.runs))}\n")
    images = f"{comparison.test.n:,} test images{_groups(comparison.test, ' of ')}"
    print(f"paired tests on the {images}: the first run minus the second\n")
    print(f"{_text(pairs_table(comparison))}\n")
    for sentence in comparison_sentences(comparison):
        print(sentence)
    for note in comparison.notes:
        notify(f"note: {note}")


def _print_split(title: str, comparison: RunComparison, split: ComparedSplit) -> None:
    print(f"{title} (n = {split.n:,}{_groups(split, ' in ')})\n{_text(runs_table(comparison.runs, split))}\n")


def _groups(split: ComparedSplit, lead: str) -> str:
    return "" if split.groups is None else f"{lead}{counted(split.groups.count, 'group')}"


def _text(table: Table) -> str:
    return aligned([table.header, *table.rows])
