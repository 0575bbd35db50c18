"""`tellapart search`."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from tellapart.cli.job_options import jobs_on
from tellapart.cli.read_options import AS_IT_IS, ReadAs
from tellapart.cli.run_command import INTERRUPTED
from tellapart.cli.tables import aligned, metrics_table
from tellapart.data.dataset import Dataset
from tellapart.progress import notify
from tellapart.recipe import Recipe
from tellapart.studies.search.search import Search
from tellapart.studies.search.search import search as search_recipes
from tellapart.studies.search.space import parse_space

SHOWN = 10


def search(
    source: str,
    /,
    *,
    recipe: Annotated[Recipe, Parameter(name="*")] = Recipe(),  # noqa: B008  frozen
    reading: ReadAs = AS_IT_IS,
    space: Annotated[tuple[str, ...], Parameter(negative=())] = (),
    max_epochs: int = 10,
    factor: int = 3,
    workers: int | None = None,
    on: str | None = None,
    out: Path | None = None,
    fresh: bool = False,
) -> int:
    """Find the best values of a recipe by Hyperband, and leave the winner's bundle.

    The same command goes on with a search that was stopped or killed, be it with --on or without.

    Parameters
    ----------
    source
        Labelled images, as for train.
    space
        What varies: units=256:512:32 (steps), learning_rate=1e-4:1e-1:log, dropout=0:0.8 or optimizer=adam,sgd;
        between values that hold commas a semicolon. Once for each field.
    max_epochs
        How many epochs the best trials are given.
    factor
        One of so many trials goes on, with so many times the epochs.
    workers
        How many processes of this machine train trials at once, 1 when left out; with --on how many cores of the
        cluster, all when left out. The result is the same.
    on
        Who trains the trials: ray, or a Ray cluster's ray://HOST:PORT. The result is the same.
    out
        The search's folder; searches/<dataset>-<model> when left out.
    fresh
        Begin again, and remove what an earlier search left in that folder.
    """
    parse_space(space, recipe)  # before any image is read
    dataset = Dataset.open(source, reading)
    folder = out or Path("searches") / f"{dataset.name}-{recipe.model}"
    try:
        with jobs_on(on, None if on is None else workers) as jobs:
            here = workers if on is None and workers is not None else 1
            found = search_recipes(
                dataset,
                recipe,
                space,
                out=folder,
                max_epochs=max_epochs,
                factor=factor,
                workers=here,
                fresh=fresh,
                jobs=jobs,
            )
    except KeyboardInterrupt:
        notify("\nstopped. What was finished is kept: the same command goes on with it")
        return INTERRUPTED
    print(_best_trials(found))
    print(f"\n{metrics_table(found.run.metrics)}")
    print(f"bundle: {found.run.bundle.folder}")
    notify(f"every epoch of every trial: {folder / 'trials.csv'}; the best recipe: {folder / 'best.toml'}")
    return 0


def _best_trials(found: Search) -> str:
    names = list(found.trials[0].values)
    header = ["trial", *names, "epochs", "best epoch", "validation loss", "validation accuracy"]
    rows = [
        [
            str(trial.number),
            *(_short(trial.values[name]) for name in names),
            str(len(trial.history)),
            str(trial.best.epoch),
            f"{trial.best.val_loss:.4f}",
            f"{trial.best.val_accuracy:.1%}",
        ]
        for trial in found.trials[:SHOWN]
    ]
    return aligned([header, *rows])


def _short(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
