"""`tellapart compare`."""

from pathlib import Path

from tellapart.cli.options import Json
from tellapart.cli.output import print_json
from tellapart.cli.tables import aligned
from tellapart.progress import notify
from tellapart.reports.compare import Compared, Side, as_json, compare_runs
from tellapart.reports.comparison_page import write_comparison
from tellapart.reports.comparison_words import pairs_table, runs_table, sentences, settings_table
from tellapart.reports.report import Table


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
    compared = compare_runs(runs)
    if json:
        print_json(as_json(compared))
    else:
        _print(compared)
    if save is not None:
        write_comparison(compared, save)
        notify(f"saved: {save}")


def _print(compared: Compared) -> None:
    _side("test: images that no run was trained or chosen with", compared, compared.test)
    if compared.validation:
        _side("validation: choices were made with these images", compared, compared.validation)
    print(f"what differs\n{_text(settings_table(compared.contenders))}\n")
    print(f"paired tests on the {compared.test.n:,} test images: the first run minus the second\n")
    print(f"{_text(pairs_table(compared))}\n")
    for sentence in sentences(compared):
        print(sentence)
    for note in compared.notes:
        notify(f"note: {note}")


def _side(title: str, compared: Compared, side: Side) -> None:
    print(f"{title} (n = {side.n:,})\n{_text(runs_table(compared.contenders, side))}\n")


def _text(table: Table) -> str:
    return aligned([table.header, *table.rows])
