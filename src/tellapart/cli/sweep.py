"""`tellapart sweep`."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from tellapart.cli.options import COMMON, READ_DEFAULTS, Json, On, ReadAs, Workers, jobs_on, resumable
from tellapart.cli.output import aligned, metrics_table, print_json
from tellapart.cli.recipe_options import TRIAL_RECIPE, TrialOptions
from tellapart.cli.trial_warnings import notify_warnings
from tellapart.data.dataset import Dataset
from tellapart.errors import require
from tellapart.progress import notify
from tellapart.reports.sweep_page import write_curves
from tellapart.studies.sweep.plan import Trial, parse_vary
from tellapart.studies.sweep.sweep import Sweep
from tellapart.studies.sweep.sweep import sweep as sweep_recipe
from tellapart.studies.sweep.table import cells, header, short
from tellapart.training.prepare import with_model


def sweep(
    source: str,
    /,
    *,
    recipe: TrialOptions = TRIAL_RECIPE,
    read_options: ReadAs = READ_DEFAULTS,
    vary: Annotated[tuple[str, ...], Parameter(negative=(), group=COMMON)] = (),
    grid: Annotated[bool, Parameter(group=COMMON)] = False,
    on: On = None,
    workers: Workers = None,
    out: Annotated[Path | None, Parameter(group=COMMON)] = None,
    json: Json = False,
) -> None:
    """Try values of a recipe's options, one option after the other, and write the winner's bundle.

    Trials are compared on the validation images; the winner is judged on the test images. If it is stopped or killed,
    the same command resumes.

        tellapart sweep photos --vary learning_rate=1e-4,1e-3 --vary dropout=0,0.2,0.5

    Parameters
    ----------
    source
        Labelled images, as for train.
    vary
        An option and its values: learning_rate=1e-4,1e-3 or inner=none,100; values that contain commas are separated
        by semicolons. Give it once per option, in the order to choose them: each keeps the best value found before.
        What applies while that option varies goes after an @: "dropout=0,0.2,0.5 @ epochs=30".
    grid
        Try all combinations instead.
    out
        Folder of the sweep. Default: sweeps/<dataset>-<model>.
    """
    parse_vary(vary, recipe)  # before any image is read
    require("plotly", extra="train")  # before any trial is trained
    dataset = Dataset.open(source, read_options)
    recipe = with_model(dataset, recipe)
    folder = out or Path("sweeps") / f"{dataset.name}-{recipe.model}"
    with resumable("The finished trials are kept"), jobs_on(on, workers) as jobs:
        result = sweep_recipe(dataset, recipe, vary, out=folder, grid=grid, jobs=jobs)
    page = write_curves(result)
    if json:
        print_json(_as_json(result, page))
    else:
        print(aligned([[*header(result.columns), ""], *(_row(result, trial) for trial in result.trials)]))
        print(f"\n{metrics_table(result.metrics)}")
        print(f"bundle: {result.bundle.folder}")
    notify_warnings({_named(result, trial): result.warnings.get(trial.number, ()) for trial in result.trials})
    notify(f"curves: {page}; every epoch: {folder / 'trials.csv'}; the best recipe: {folder / 'winner.toml'}")


def _named(result: Sweep, trial: Trial) -> str:
    values = ", ".join(f"{name} {short(getattr(trial.recipe, name)) or 'none'}" for name in result.columns)
    return f"trial {trial.number} ({values})"


def _row(result: Sweep, trial: Trial) -> list[str]:
    mark = "best" if trial.number == result.winner.number else ""
    return [*cells(trial.number, trial.recipe, result.columns, trial.history, trial.best), mark]


def _as_json(result: Sweep, page: Path) -> dict[str, object]:
    trials = [
        {
            "trial": trial.number,
            "values": {name: getattr(trial.recipe, name) for name in result.columns},
            "epochs": len(trial.history),
            "seconds": trial.seconds,
            "best": asdict(trial.best),
            "warnings": [reason.as_json() for reason in result.warnings.get(trial.number, ())],
        }
        for trial in result.trials
    ]
    return {
        "sweep": result.folder,
        "bundle": result.bundle.folder,
        "curves": page,
        "winner": result.winner.number,
        "recipe": result.recipe.as_dict(),
        "trials": trials,
        "metrics": result.metrics,
    }
