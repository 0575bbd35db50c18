"""`tellapart train`."""

from datetime import datetime
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from tellapart.cli.messages import described
from tellapart.cli.read_options import AS_IT_IS, ReadAs
from tellapart.cli.tables import metrics_table
from tellapart.data.dataset import Dataset
from tellapart.errors import TellapartError
from tellapart.progress import notify
from tellapart.recipe import Recipe
from tellapart.reports.build_report import report as report_on
from tellapart.training.budget import Budget, free, seconds_of
from tellapart.training.run import Run
from tellapart.training.run import train as train_run


def train(
    source: str,
    /,
    *,
    recipe: Annotated[Recipe, Parameter(name="*")] = Recipe(),  # noqa: B008  frozen
    reading: ReadAs = AS_IT_IS,
    time: str | None = None,
    effort: Budget | None = None,
    start: Annotated[Path | None, Parameter(name="--from")] = None,  # noqa: ARG001  `recipes.expanded` has read it
    out: Path | None = None,
    resume: bool = False,
    report: bool = True,
    forbid: tuple[str, ...] = (),
    strict: bool = False,
) -> None:
    """Train a classifier, judge it, and leave a bundle that predicts.

    Parameters
    ----------
    source
        A folder of class folders (with or without train/validation/test on top), a CSV or Parquet table with the paths
        and labels of images, an .npz file, a folder of IDX files, or digits, mnist, fashion-mnist, cifar10.
    time
        As good as this time on this machine can make it, such as 10m: the ladder of recipes is climbed until then.
    effort
        How far up the ladder without a time: quick is a linear head on a frozen base; standard takes every step that
        pays and is over in 5 minutes; best takes every step that pays. Where no option says how to train, standard.
    start
        A recipe to begin with: a sweep's or search's or run's folder, or a .toml file. Options that are said win.
    out
        The run's folder; runs/<dataset>-<model>-<date-time> when left out.
    resume
        Go on with a run that was stopped or killed in that folder.
    report
        Write report.html into the run's folder: baselines, figures, mistakes, what was looked at.
    forbid
        Kinds of findings, such as leak,near-leak,missing-class, that stop it before the first epoch. `tellapart check`
        names them all.
    strict
        Stop before the first epoch for any problem or warning that is cheap to find. Notes stop nothing.
    """
    dataset = Dataset.open(source, reading)
    notify(described(dataset))
    folder = out or Path("runs") / f"{dataset.name}-{recipe.model}-{datetime.now():%Y%m%d-%H%M%S}"
    seconds = None if time is None else seconds_of(time)
    if effort is None and seconds is None and free(recipe):
        effort = "standard"
    run = train_run(
        dataset,
        recipe,
        out=folder,
        resume=resume,
        effort=effort,
        seconds=seconds,
        forbid=[kind.strip() for kinds in forbid for kind in kinds.split(",") if kind.strip()],
        strict=strict,
    )
    print(metrics_table(run.metrics))
    print(f"bundle: {run.bundle.folder}")
    if report:
        _report(run, dataset)
    notify(f"try: tellapart predict {run.bundle.folder} IMAGE   or   tellapart serve {run.bundle.folder}")


def _report(run: Run, dataset: Dataset) -> None:
    """A run is whole without its report, so what stands in the way of it is said and does not fail the training."""
    try:
        print(f"report: {report_on(run, dataset=dataset)}")
    except TellapartError as error:
        notify(f"no report: {error}")
