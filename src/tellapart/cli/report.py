"""`tellapart report`."""

from pathlib import Path

from tellapart.reports.build_report import report as report_on
from tellapart.training.run import Run


def report(run: Path, /, *, data: str | None = None) -> None:
    """Write a run's report: one HTML file that opens without a network.

    Parameters
    ----------
    run
        The run's folder.
    data
        Where its images are, if they are no longer where they were.
    """
    print(f"report: {report_on(Run(run), source=data)}")
