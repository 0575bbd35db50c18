"""`tellapart check`."""

from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

from tellapart.checking.check import check as find_problems
from tellapart.checking.finding import Finding
from tellapart.checking.findings_csv import keep_findings_csv
from tellapart.cli.options import READ_DEFAULTS, Json, ReadAs, resumable
from tellapart.cli.output import command_line, dataset_line, print_json
from tellapart.data.dataset import Dataset
from tellapart.progress import notify
from tellapart.text import printable

PROBLEMS = 1  # the exit status where there are any
COLOURS = {"problem": "bold red", "warning": "yellow", "note": "dim"}


def check(
    source: str,
    /,
    *,
    read_options: ReadAs = READ_DEFAULTS,
    features: str | None = None,
    save: Path | None = None,
    findings: Path = Path("findings.csv"),
    json: Json = False,
) -> int:
    """Find duplicates, leaks, odd files, likely wrong labels and uneven classes, before anything is trained.

    Nothing is deleted or moved. The images concerned are listed in a table; mark there those that `tellapart train
    --skip findings.csv` is to leave out. The exit status is 1 where there is a problem.

        tellapart check photos
        tellapart check photos --features xception --save check.html

    Parameters
    ----------
    source
        Labelled images, as for train.
    features
        Also find likely wrong labels and outliers, from the features of this pre-trained network, such as xception.
        It runs once over every image whose features are not cached yet.
    save
        Write a page with the images: one HTML file that opens without a network.
    findings
        The table. An existing one with other content is kept: a number is added to the name.
    """
    with resumable("Images already examined are remembered"):
        dataset = Dataset.open(source, read_options)
        results = find_problems(dataset, features)
    table = keep_findings_csv(results, findings)
    train_line = command_line("train", source, read_options, skip=table)
    if save:
        _save(dataset, results, table, train_line, save)
    if json:
        print_json(_as_json(dataset, results) | {"table": table, "page": save})
    else:
        _print(dataset, results)
        _notify_next(table, save, train_line, command_line("check", source, read_options))
        if table and read_options.skip:
            notify(f"what is marked in {read_options.skip} is not in {table}: copy those rows into it")
    return PROBLEMS if any(finding.severity == "problem" for finding in results) else 0


def _save(dataset: Dataset, findings: tuple[Finding, ...], table: Path | None, train_line: str, path: Path) -> None:
    from tellapart.reports.check_page import CheckResult, write_check  # needed only for a page

    write_check(CheckResult(dataset, findings, table, train_line, f"{datetime.now():%d %B %Y, %H:%M}"), path)


def _as_json(dataset: Dataset, findings: tuple[Finding, ...]) -> dict[str, Any]:
    return {
        "source": dataset.source,
        "name": dataset.name,
        "fingerprint": dataset.fingerprint,
        "classes": dataset.classes,
        "counts": {name: dataset.counts(name).tolist() for name in dataset.splits},
        "findings": [asdict(finding) for finding in findings],
    }


def _print(dataset: Dataset, findings: tuple[Finding, ...]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    console.print(Text(dataset_line(dataset)))
    if not findings:
        console.print("Nothing wrong was found.")
        return
    table = Table("", "", box=None, show_header=False, padding=(1, 2, 0, 0))
    for finding in findings:
        # As Text: brackets in a name are no markup.
        text = Text(printable(finding.sentence))
        if finding.advice and finding.severity != "note":
            text.append(f"\n{printable(finding.advice)}", "dim")
        table.add_row(Text(finding.severity, COLOURS[finding.severity]), text)
    console.print(table)
    console.print()


def _notify_next(table: Path | None, page: Path | None, train_line: str, check_line: str) -> None:
    if page:
        notify(f"page: {page}")
    if table is None:
        notify(f"try: {train_line}")
        return
    notify(f"table: {table}. Put an x in its column skip for each image to leave out, then: {train_line}")
    if page is None:
        notify(f"to see the images: {check_line} --save check.html")
