"""`tellapart train`."""

from datetime import datetime
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from tellapart.cli.tables import metrics_table
from tellapart.data.dataset import Dataset
from tellapart.progress import say
from tellapart.recipe import Recipe
from tellapart.training.run import train as train_run


def train(
    source: str,
    /,
    *,
    recipe: Annotated[Recipe, Parameter(name="*")] = Recipe(),  # noqa: B008  frozen
    out: Path | None = None,
    resume: bool = False,
) -> None:
    """Train a classifier, judge it, and leave a bundle that predicts.

    Parameters
    ----------
    source
        A folder of class folders (with or without train/validation/test on top), an .npz file, a folder of IDX
        files, or digits, mnist, fashion-mnist, cifar10.
    out
        The run's folder; runs/<dataset>-<model>-<date-time> when left out.
    resume
        Go on with a run that was stopped or killed in that folder.
    """
    dataset = Dataset.open(source)
    sizes = ", ".join(f"{len(split):,} {name}".removesuffix(" all") for name, split in dataset.splits.items())
    say(f"{dataset.name}: {sizes} pictures in {len(dataset.classes)} classes")
    folder = out or Path("runs") / f"{dataset.name}-{recipe.model}-{datetime.now():%Y%m%d-%H%M%S}"
    run = train_run(dataset, recipe, out=folder, resume=resume)
    print(metrics_table(run.metrics))
    print(f"bundle: {run.bundle.folder}")
    say(f"try: tellapart predict {run.bundle.folder} PICTURE   or   tellapart serve {run.bundle.folder}")
