"""The work of a run, once everything that can be refused early has been: features, fit, judging, bundle."""

from pathlib import Path

from tellapart.data.dataset import Dataset
from tellapart.data.splits.draw_splits import require_classes
from tellapart.files import cache_folder
from tellapart.models.resolved_recipe import NetworkRecipe
from tellapart.progress import notify
from tellapart.training.budget import Limits
from tellapart.training.fit import fit
from tellapart.training.ladder import climb
from tellapart.training.loop import repeatable
from tellapart.training.prepare import list_skipped, preprocessing_for, write_metrics
from tellapart.training.tasks import Start, Task, backbone_for, make_task
from tellapart.training.write_bundle import write_bundle


def train_network(
    dataset: Dataset, recipe: NetworkRecipe, folder: Path, limits: Limits | None = None, *, bigger: bool = False
) -> None:
    """Train into `folder`, which holds the recipe already; `metrics.json` comes last and says that all is done.

    With limits the recipe is where the ladder begins; `bigger` lets it take bigger images.
    """
    if not (folder / "bundle").exists():
        if limits:
            climb(dataset, recipe, folder, limits, bigger=bigger)
        else:
            _make_bundle(dataset, recipe, folder)
    write_metrics(folder)


def _make_bundle(dataset: Dataset, recipe: NetworkRecipe, folder: Path) -> None:
    repeatable(recipe.seed)
    write_bundle(_trained(dataset, recipe, folder), recipe, folder / "bundle")


def _trained(dataset: Dataset, recipe: NetworkRecipe, folder: Path) -> Task:
    """Train stage after stage: the first into the run's folder, each further one into a folder of its own in it."""
    start: Start | None = None
    for number, stage in enumerate(recipe.stages(), start=1):
        place = folder if number == 1 else folder / f"stage-{number}"
        if start:
            notify(f"stage {number}: {recipe.then[number - 2]}")
        preprocessing = preprocessing_for(dataset, stage)
        standing = backbone_for(stage, preprocessing, start)
        repeatable(stage.seed)  # it alone draws the network's weights, however much was built below
        task = make_task(dataset, stage, preprocessing, cache=cache_folder(), start=start, standing=standing)
        list_skipped(task.dataset.skipped, folder)
        require_classes(task.dataset)
        _, best = fit(task.network, stage, task.train, task.validation, folder=place)
        notify(f"kept the weights of epoch {best}")
        dataset, start = task.dataset, task.end()
    return task
