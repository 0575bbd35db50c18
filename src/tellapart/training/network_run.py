"""Train a network into a run's folder: features, stages, evaluation, bundle."""

from pathlib import Path

import numpy as np

from tellapart.data.dataset import Dataset
from tellapart.data.splits.draw_splits import require_classes
from tellapart.errors import RunError
from tellapart.files import cache_folder
from tellapart.models.resolved_recipe import NetworkRecipe
from tellapart.progress import notify
from tellapart.training.budget import Limits
from tellapart.training.fitting.fit import fit, restore_epoch
from tellapart.training.fitting.loop import seed_everything
from tellapart.training.ladder import run_ladder
from tellapart.training.prepare import preprocessing_for
from tellapart.training.run_files import write_metrics, write_skipped
from tellapart.training.scratch_budget import within_budget
from tellapart.training.tasks import StageWeights, Task, backbone_for, make_task
from tellapart.training.write_bundle import write_bundle


def train_network(
    dataset: Dataset, recipe: NetworkRecipe, folder: Path, limits: Limits | None = None, *, may_enlarge: bool = False
) -> None:
    """Train into `folder`, which has the recipe already; `metrics.json` comes last.

    With limits the recipe is the start of the ladder, which `may_enlarge` lets take images of another size; or from
    scratch it has as many epochs as fit.
    """
    if not (folder / "bundle").exists():
        if limits and recipe.backbone:
            run_ladder(dataset, recipe, folder, limits, may_enlarge=may_enlarge)
        else:
            if limits:
                recipe = within_budget(dataset, recipe, folder, limits)
            seed_everything(recipe.seed)
            write_bundle(_train_stages(dataset, recipe, folder), recipe, folder / "bundle")
    write_metrics(folder)


def _train_stages(dataset: Dataset, recipe: NetworkRecipe, folder: Path) -> Task:
    """Train stage after stage: the first into the run's folder, each further one into a folder of its own in it."""
    previous: StageWeights | None = None
    for number, stage in enumerate(recipe.stages(), start=1):
        if previous:
            notify(f"stage {number}: {recipe.then[number - 2]}")
        task = stage_task(dataset, stage, previous)
        write_skipped(task.dataset.skipped, folder)
        require_classes(task.dataset)
        _, best = fit(task.network, stage, task.train, task.validation, folder=stage_folder(folder, number))
        _require_finite(task, stage, best)
        notify(f"kept the weights of epoch {best}")
        dataset, previous = task.dataset, task.weights()
    return task


def restored_task(dataset: Dataset, recipe: NetworkRecipe, folder: Path, epoch: int) -> Task:
    """Make the task of a run's last stage again, with the weights after an epoch of it. Raises RunError."""
    previous: StageWeights | None = None
    stages = recipe.stages()
    for number, stage in enumerate(stages, start=1):
        task = stage_task(dataset, stage, previous)
        restore_epoch(task.network, stage, stage_folder(folder, number), epoch if number == len(stages) else None)
        dataset, previous = task.dataset, task.weights()
    return task


def stage_task(dataset: Dataset, stage: NetworkRecipe, previous: StageWeights | None) -> Task:
    """Make the task of a stage, its network as the seed and the weights of the stage before it make it."""
    preprocessing = preprocessing_for(dataset, stage)
    backbone = backbone_for(stage, preprocessing, previous)
    seed_everything(stage.seed)  # the seed alone draws the network's weights, however much was built below
    return make_task(dataset, stage, preprocessing, cache=cache_folder(), previous=previous, backbone=backbone)


def stage_folder(folder: Path, number: int) -> Path:
    """Return the folder of a stage in that of its run; the first has number 1."""
    return folder if number == 1 else folder / f"stage-{number}"


def _require_finite(task: Task, stage: NetworkRecipe, epoch: int) -> None:
    """Refuse weights from which no prediction can be computed. Raises RunError."""
    if not all(np.isfinite(weights).all() for weights in task.network.get_weights()):
        raise RunError(
            f"the training diverged: the weights after epoch {epoch}, the best one, are not finite numbers, so there "
            f"is no classifier. Train again, into another --out, with a smaller learning rate than "
            f"{stage.learning_rate:g}: tellapart lr-find recommends one"
        )
