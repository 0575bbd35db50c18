"""`tellapart search`."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from tellapart.cli.options import BUDGET, CLUSTER, COMMON, OUTPUT, READ_DEFAULTS, Json, On, ReadAs, jobs_on, resumable
from tellapart.cli.output import aligned, metrics_table, print_json
from tellapart.cli.recipe_options import DEFAULT_RECIPE, RecipeOptions
from tellapart.cli.trial_warnings import notify_warnings
from tellapart.data.dataset import Dataset
from tellapart.progress import notify
from tellapart.studies.search.plan import Trial
from tellapart.studies.search.search import Search
from tellapart.studies.search.search import search as search_recipes
from tellapart.studies.search.space import parse_space
from tellapart.studies.sweep.table import short
from tellapart.training.prepare import with_model
from tellapart.training.training_warnings import TrainingWarning, training_warnings

MAX_ROWS = 10


def search(
    source: str,
    /,
    *,
    recipe: RecipeOptions = DEFAULT_RECIPE,
    read_options: ReadAs = READ_DEFAULTS,
    space: Annotated[tuple[str, ...], Parameter(negative=(), group=COMMON)] = (),
    max_epochs: Annotated[int, Parameter(group=COMMON)] = 10,
    factor: Annotated[int, Parameter(group=BUDGET)] = 3,
    workers: Annotated[int | None, Parameter(group=CLUSTER)] = None,
    on: On = None,
    out: Annotated[Path | None, Parameter(group=COMMON)] = None,
    fresh: Annotated[bool, Parameter(group=OUTPUT)] = False,
    json: Json = False,
) -> None:
    """Search the best values of a recipe's options with Hyperband, and write the winner's bundle.

    Many trials start with few epochs; only the best are trained on. If it is stopped or killed, the same command
    resumes.

        tellapart search photos --space learning_rate=1e-4:1e-1:log --space dropout=0:0.8

    Parameters
    ----------
    source
        Labelled images, as for train.
    space
        An option and the values to draw from: units=256:512:32 (a range with steps), learning_rate=1e-4:1e-1:log,
        dropout=0:0.8, or optimizer=adam,sgd; values that contain commas are separated by semicolons. Once per option.
    max_epochs
        Epochs that the best trials get.
    factor
        One trial in this many is trained on, with this many times the epochs.
    workers
        Processes that train trials on this machine, 1 by default; with --on, cores of the cluster, all by default.
        The result is the same.
    out
        Folder of the search. Default: searches/<dataset>-<model>.
    fresh
        Remove what an earlier search left in --out, and start again.
    """
    parse_space(space, recipe)  # before any image is read
    dataset = Dataset.open(source, read_options)
    recipe = with_model(dataset, recipe)
    folder = out or Path("searches") / f"{dataset.name}-{recipe.model}"
    here, there = (workers, None) if on is None else (1, workers)
    with resumable("Finished work is kept"), jobs_on(on, there) as jobs:
        result = search_recipes(
            dataset,
            recipe,
            space,
            out=folder,
            max_epochs=max_epochs,
            factor=factor,
            workers=1 if here is None else here,
            fresh=fresh,
            jobs=jobs,
        )
    reasons = training_warnings(result.run)
    if json:
        print_json(_as_json(result, reasons))
    else:
        print(_best_trials(result))
        print(f"\n{metrics_table(result.run.metrics)}")
        print(f"bundle: {result.run.bundle.folder}")
    trials = {_named(trial): result.warnings.get(trial.number, ()) for trial in result.trials}
    notify_warnings({"the winner, trained again": reasons, **trials})
    notify(f"every epoch of every trial: {folder / 'trials.csv'}; the best recipe: {folder / 'best.toml'}")


def _best_trials(result: Search) -> str:
    names = list(result.trials[0].values)
    header = ["trial", *names, "epochs", "best epoch", "validation loss", "validation accuracy"]
    rows = [
        [
            str(trial.number),
            *(short(trial.values[name]) for name in names),
            str(len(trial.history)),
            str(trial.best.epoch),
            f"{trial.best.val_loss:.4f}",
            f"{trial.best.val_accuracy:.1%}",
        ]
        for trial in result.trials[:MAX_ROWS]
    ]
    return aligned([header, *rows])


def _named(trial: Trial) -> str:
    return f"trial {trial.number} ({', '.join(f'{name} {short(value)}' for name, value in trial.values.items())})"


def _as_json(result: Search, reasons: Sequence[TrainingWarning]) -> dict[str, object]:
    trials = [
        {
            "trial": trial.number,
            "values": trial.values,
            "epochs": len(trial.history),
            "seconds": sum(epoch.seconds for epoch in trial.history),
            "best": asdict(trial.best),
            "warnings": [reason.as_json() for reason in result.warnings.get(trial.number, ())],
        }
        for trial in result.trials
    ]
    return {
        "search": result.folder,
        "bundle": result.run.bundle.folder,
        "winner": result.trials[0].number,
        "recipe": result.recipe.as_dict(),
        "trials": trials,
        "metrics": result.run.metrics,
        "warnings": [reason.as_json() for reason in reasons],
    }
