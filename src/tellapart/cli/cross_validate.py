"""`tellapart folds`."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from tellapart.cli.job_options import jobs_on
from tellapart.cli.read_options import AS_IT_IS, ReadAs
from tellapart.cli.run_command import INTERRUPTED
from tellapart.cli.tables import aligned
from tellapart.data.dataset import Dataset
from tellapart.judging.intervals import Estimate
from tellapart.progress import notify
from tellapart.recipe import Recipe
from tellapart.studies.folds.cross_validate import cross_validate as make_folds
from tellapart.studies.folds.results import CrossValidation


def cross_validate(
    source: str,
    /,
    *,
    recipe: Annotated[Recipe, Parameter(name="*")] = Recipe(),  # noqa: B008  frozen
    reading: ReadAs = AS_IT_IS,
    cross_validate: int = 5,
    on: str | None = None,
    workers: int | None = None,
    out: Path | None = None,
) -> int:
    """Judge a recipe on every image but those for test, each time by a classifier trained without it.

    The same command goes on with folds that were stopped or killed, be it with --on or without.

    Parameters
    ----------
    source
        Labelled images, as for train.
    folds
        How many parts: each is judged once, after training on the others.
    on
        Who learns the folds, several at once: ray, or a Ray cluster's ray://HOST:PORT. The folds are the same.
    workers
        How many cores of the cluster learn; all when left out.
    out
        The folder for the results; folds/<dataset>-<model> when left out.
    """
    dataset = Dataset.open(source, reading)
    folder = out or Path("folds") / f"{dataset.name}-{recipe.model}"
    try:
        with jobs_on(on, workers) as jobs:
            found = make_folds(dataset, recipe, count=cross_validate, out=folder, jobs=jobs)
    except KeyboardInterrupt:
        notify("\nstopped. What was finished is kept: the same command goes on with it")
        return INTERRUPTED
    print(_table(found))
    print(f"\nmean accuracy           {_interval(found.accuracy)}")
    print(f"all images as one     {_interval(found.pooled.accuracy)} of {found.pooled.n:,}")
    notify(
        "intervals: 95 %. Of the mean, Student's over folds, wider because folds share training images (Nadeau & "
        "Bengio 2003); of all images as one, Wilson's\n"
        f"every image's probabilities: {folder / 'out_of_fold.npz'}; the rows: {folder / 'folds.csv'}\n"
        "folds are for choosing: what the choice is worth, `tellapart train` says on the test images"
    )
    return 0


def _table(found: CrossValidation) -> str:
    rows = [
        [
            str(row.fold),
            f"{row.n:,}",
            f"{row.accuracy:.1%}",
            f"{row.log_loss:.3f}",
            f"{row.macro_f1:.1%}",
            "-" if row.epoch is None else str(row.epoch),
        ]
        for row in found.rows
    ]
    summary = [
        [name, "", f"{of('accuracy'):.1%}", f"{of('log_loss'):.3f}", f"{of('macro_f1'):.1%}", ""]
        for name, of in (("mean", found.mean), ("standard deviation", found.deviation))
    ]
    return aligned([["fold", "n", "accuracy", "log-loss", "macro F1", "epoch"], *rows, *summary])


def _interval(estimate: Estimate) -> str:
    return f"{estimate.value:.1%} ({estimate.low:.1%} to {estimate.high:.1%})"
