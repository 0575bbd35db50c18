"""`tellapart cross-validate`."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from tellapart.cli.options import COMMON, READ_DEFAULTS, Json, On, ReadAs, Workers, jobs_on, resumable
from tellapart.cli.output import aligned, print_json
from tellapart.cli.recipe_options import DEFAULT_RECIPE, RecipeOptions
from tellapart.cli.trial_warnings import notify_warnings
from tellapart.data.dataset import Dataset
from tellapart.judging.intervals import Estimate
from tellapart.progress import notify
from tellapart.studies.folds.cross_validate import cross_validate as run_folds
from tellapart.studies.folds.results import CrossValidation
from tellapart.text import counted, low_to_high, percent, points
from tellapart.training.prepare import with_model


def cross_validate(
    source: str,
    /,
    *,
    recipe: RecipeOptions = DEFAULT_RECIPE,
    read_options: ReadAs = READ_DEFAULTS,
    folds: Annotated[int, Parameter(group=COMMON)] = 5,
    on: On = None,
    workers: Workers = None,
    out: Annotated[Path | None, Parameter(group=COMMON)] = None,
    json: Json = False,
) -> None:
    """Judge a recipe by k-fold cross-validation: the mean over folds, and its spread.

    Every image, except those for test, is predicted once by a classifier trained without it. If it is stopped or
    killed, the same command resumes.

        tellapart cross-validate photos --folds 5

    Parameters
    ----------
    source
        Labelled images, as for train.
    folds
        Number of parts: each is predicted once, after training on the others.
    out
        Folder of the results. Default: folds/<dataset>-<model>.
    """
    dataset = Dataset.open(source, read_options)
    recipe = with_model(dataset, recipe)
    folder = out or Path("folds") / f"{dataset.name}-{recipe.model}"
    with resumable("Finished work is kept"), jobs_on(on, workers) as jobs:
        result = run_folds(dataset, recipe, count=folds, out=folder, jobs=jobs)
    if json:
        print_json({"folder": folder, "recipe": result.recipe.as_dict()} | result.as_json())
    else:
        print(_table(result))
        print(f"\nmean accuracy           {_interval(result.accuracy)}")
        print(f"all images as one     {_interval(result.pooled.accuracy)} of {result.pooled.n:,}{_groups(result)}")
    notify_warnings({f"fold {fold}": reasons for fold, reasons in result.warnings.items()})
    if result.pooled.warning:
        notify(f"warning: {result.pooled.warning}")
    notify(
        "intervals: 95 %. Of the mean, Student's over folds, wider because folds share training images (Nadeau & "
        "Bengio 2003); of all images as one, Wilson's\n"
        f"every image's probabilities: {folder / 'out_of_fold.npz'}; the rows: {folder / 'folds.csv'}\n"
        "cross-validation is for choosing a recipe: `tellapart train` measures the chosen one on the test images"
    )


def _groups(result: CrossValidation) -> str:
    groups = result.pooled.groups
    return "" if groups is None else f" in {counted(groups.count, 'group')}"


def _table(result: CrossValidation) -> str:
    rows = [
        [
            str(row.fold),
            f"{row.n:,}",
            f"{row.accuracy:.1%}",
            f"{row.log_loss:.3f}",
            f"{row.macro_f1:.1%}",
            "-" if row.epoch is None else str(row.epoch),
        ]
        for row in result.rows
    ]
    summary = [
        [name, "", share(of("accuracy")), f"{of('log_loss'):.3f}", share(of("macro_f1")), ""]
        for name, of, share in (("mean", result.mean, percent), ("standard deviation", result.deviation, _spread))
    ]
    return aligned([["fold", "n", "accuracy", "log-loss", "macro F1", "epoch"], *rows, *summary])


def _spread(deviation: float) -> str:
    return points(deviation, ".1f")


def _interval(estimate: Estimate) -> str:
    return f"{percent(estimate.value)} ({low_to_high(estimate.low, estimate.high, '.1%')})"
