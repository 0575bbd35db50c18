"""`tellapart check`."""

from dataclasses import asdict
from datetime import datetime
from json import dumps
from pathlib import Path
from typing import Any

from tellapart.checking.check import check as find
from tellapart.checking.finding import Finding
from tellapart.checking.findings_csv import keep_findings_csv
from tellapart.cli.messages import command, described
from tellapart.cli.read_options import AS_IT_IS, ReadAs
from tellapart.cli.run_command import INTERRUPTED
from tellapart.data.dataset import Dataset
from tellapart.progress import notify
from tellapart.text import printable

PROBLEMS = 1  # the exit status where there is any
COLOURS = {"problem": "bold red", "warning": "yellow", "note": "dim"}


def check(
    source: str,
    /,
    *,
    reading: ReadAs = AS_IT_IS,
    features: str | None = None,
    save: Path | None = None,
    findings: Path = Path("findings.csv"),
    json: bool = False,
) -> int:
    """Look at labelled images before anything is trained on them, and say what may be wrong.

    Nothing is deleted or moved: the images concerned are listed in a table, in which you mark those that `train
    --skip` is to leave out. The exit status is 1 where there is a problem.

    Parameters
    ----------
    source
        Labelled images, as for train.
    features
        Also look for wrong labels and for strangers, by what this base (such as xception) sees in the images. Where
        its features are not cached yet, it has to see every image once.
    save
        Write a page with the images: one HTML file that opens without a network.
    findings
        The table. One that is there already and says something else stays as it is: a number is added to the name.
    json
        One JSON object: the counts, the findings with all their images, and where the table and the page are.
    """
    try:
        dataset = Dataset.open(source, reading)
        found = find(dataset, features)
    except KeyboardInterrupt:
        notify("\nstopped. What was looked at is remembered: the same command goes on with the rest")
        return INTERRUPTED
    table = keep_findings_csv(found, findings)
    follow = command("train", source, reading, skip=table)
    if save:
        _save(dataset, found, table, follow, save)
    if json:
        print(dumps(_facts(dataset, found) | {"table": _text(table), "page": _text(save)}))
    else:
        _show(dataset, found)
        _say_next(table, save, follow, command("check", source, reading))
        if table and reading.skip:
            notify(f"what is marked in {reading.skip} is not in {table}: copy those rows into it")
    return PROBLEMS if any(finding.severity == "problem" for finding in found) else 0


def _save(dataset: Dataset, found: tuple[Finding, ...], table: Path | None, follow: str, path: Path) -> None:
    from tellapart.reports.check_page import Checked, write_check  # not wanted where no page is

    write_check(Checked(dataset, found, table, follow, f"{datetime.now():%d %B %Y, %H:%M}"), path)


def _facts(dataset: Dataset, found: tuple[Finding, ...]) -> dict[str, Any]:
    return {
        "source": dataset.source,
        "name": dataset.name,
        "fingerprint": dataset.fingerprint,
        "classes": dataset.classes,
        "counts": {name: dataset.counts(name).tolist() for name in dataset.splits},
        "findings": [asdict(finding) for finding in found],
    }


def _show(dataset: Dataset, found: tuple[Finding, ...]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    console.print(Text(described(dataset)))
    if not found:
        console.print("Nothing was found that is wrong with them.")
        return
    table = Table("", "", box=None, show_header=False, padding=(1, 2, 0, 0))
    for finding in found:
        # As Text, so that no name with brackets is taken for markup.
        says = Text(printable(finding.sentence))
        if finding.advice and finding.severity != "note":
            says.append(f"\n{printable(finding.advice)}", "dim")
        table.add_row(Text(finding.severity, COLOURS[finding.severity]), says)
    console.print(table)
    console.print()


def _say_next(table: Path | None, page: Path | None, follow: str, again: str) -> None:
    if page:
        notify(f"page: {page}")
    if table is None:
        notify(f"try: {follow}")
        return
    notify(f"table: {table}. Mark with an x in its column skip what is to be left out, then: {follow}")
    if page is None:
        notify(f"to see the images: {again} --save check.html")


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)
