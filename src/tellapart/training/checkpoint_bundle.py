"""The classifier after any epoch of a run whose checkpoint was kept, as a bundle."""

from pathlib import Path

from tellapart.backend import load_keras
from tellapart.bundles.bundle import Bundle
from tellapart.data.dataset import Dataset
from tellapart.errors import RunError
from tellapart.models.resolved_recipe import NetworkRecipe, resolve
from tellapart.training.prepare import draw_all_splits
from tellapart.training.run import Run
from tellapart.training.run_files import LADDER


def bundle_checkpoint(run: Run, dataset: Dataset, epoch: int, path: Path) -> Bundle:
    """Write the classifier after an epoch of a run, counted from 1, as the bundle `path`, in a folder of its own.

    `dataset` are the images of the run: the temperature is found on validation, as for the run's own bundle, and the
    test images stay closed. Of a run of several stages the epoch is of the last. Raises RunError for a run of the
    ladder, for an estimator, which has no epochs, for other images, and where the checkpoint was not kept.
    """
    if (run.folder / LADDER).exists():
        raise RunError(f"{run.folder} is a run of the ladder, which keeps no checkpoints: export its bundle instead")
    dataset, recipe = draw_all_splits(dataset, run.recipe)
    if run.environment["dataset"]["fingerprint"] != dataset.fingerprint:
        raise RunError(
            f"{dataset.name} is not the images that {run.folder} was trained on, or they have changed: name the same "
            f"to export a checkpoint"
        )
    resolved = resolve(recipe, own_size=dataset.own_size, train_images=len(dataset.splits["train"]))
    if not isinstance(resolved, NetworkRecipe):
        raise RunError(f"{run.folder} is a run of {resolved.model}, which has no epochs: export its bundle instead")
    load_keras()
    from tellapart.training.network_run import restored_task
    from tellapart.training.write_bundle import write_bundle

    write_bundle(restored_task(dataset, resolved, run.folder, epoch), resolved, path, splits=("validation",))
    return Bundle.open(path)
