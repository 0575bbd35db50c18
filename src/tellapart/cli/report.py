"""`tellapart report`."""

from pathlib import Path

from tellapart.cli.options import Json
from tellapart.cli.output import print_json
from tellapart.reports.build_report import report as build_report
from tellapart.training.run import Run


def report(run: Path, /, *, data: str | None = None, json: Json = False) -> None:
    """Write a run's report: one HTML file that opens without a network.

        tellapart report runs/photos

    Parameters
    ----------
    run
        Folder of the run.
    data
        Where its images are now, if they were moved.
    """
    path = build_report(Run(run), source=data)
    if json:
        print_json({"report": path})
    else:
        print(f"report: {path}")
