"""`tellapart sweep`."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from tellapart.cli.job_options import jobs_on
from tellapart.cli.read_options import AS_IT_IS, ReadAs
from tellapart.cli.run_command import INTERRUPTED
from tellapart.cli.tables import aligned, metrics_table
from tellapart.data.dataset import Dataset
from tellapart.errors import require
from tellapart.progress import notify
from tellapart.recipe import Monitor, Recipe
from tellapart.reports.curves import write_curves
from tellapart.studies.sweep.plan import Trial, parse_vary
from tellapart.studies.sweep.sweep import Sweep
from tellapart.studies.sweep.sweep import sweep as sweep_recipe
from tellapart.studies.sweep.table import cells, header


@dataclass(frozen=True)
class Swept(Recipe):
    """A recipe whose trials are compared by accuracy, if nothing else is said."""

    monitor: Monitor = "val_accuracy"
    """What chooses the best epoch of a trial, and the best trial."""


def sweep(
    source: str,
    /,
    *,
    recipe: Annotated[Swept, Parameter(name="*")] = Swept(),
    reading: ReadAs = AS_IT_IS,
    vary: Annotated[tuple[str, ...], Parameter(negative=())] = (),
    grid: bool = False,
    on: str | None = None,
    workers: int | None = None,
    out: Path | None = None,
) -> int:
    """Try values of a recipe's fields, one field after the other, and leave the winner's bundle.

    The same command goes on with a sweep that was stopped or killed, be it with --on or without.

    Parameters
    ----------
    source
        Labelled images, as for train.
    vary
        A field and its values: learning_rate=1e-4,1e-3 or inner=none,100; between values that hold commas a
        semicolon. Once for each field, in the order in which they are chosen, the others staying at the best so far.
        What is to hold for that field alone stands behind an @: "dropout=0,0.2,0.5 @ epochs=30".
    grid
        Try all combinations instead.
    on
        Who trains the trials of a turn, several at once: ray, or a Ray cluster's ray://HOST:PORT. The sweep is the
        same.
    workers
        How many cores of the cluster train; all when left out.
    out
        The sweep's folder; sweeps/<dataset>-<model> when left out.
    """
    plain = Recipe(**asdict(recipe))
    parse_vary(vary, plain)  # before any image is read
    require("plotly", extra="train")  # before any trial is trained
    dataset = Dataset.open(source, reading)
    folder = out or Path("sweeps") / f"{dataset.name}-{recipe.model}"
    try:
        with jobs_on(on, workers) as jobs:
            found = sweep_recipe(dataset, plain, vary, out=folder, grid=grid, jobs=jobs)
    except KeyboardInterrupt:
        notify("\nstopped. The trials that were finished are kept: the same command goes on with them")
        return INTERRUPTED
    page = write_curves(found)
    print(_trials(found))
    print(f"\n{metrics_table(found.metrics)}")
    print(f"bundle: {found.bundle.folder}")
    notify(f"curves: {page}; every epoch: {folder / 'trials.csv'}; the best recipe: {folder / 'winner.toml'}")
    return 0


def _trials(found: Sweep) -> str:
    return aligned([[*header(found.columns), ""], *(_row(found, trial) for trial in found.trials)])


def _row(found: Sweep, trial: Trial) -> list[str]:
    mark = "best" if trial.number == found.winner.number else ""
    return [*cells(trial.number, trial.recipe, found.columns, trial.history, trial.best), mark]
