"""What a trained task says of images, by the engine and at the precision that will predict."""

import numpy as np
from numpy.typing import NDArray

from tellapart.bundles.evaluate import probabilities
from tellapart.data.images import Images, MirroredImages
from tellapart.data.pipeline import BATCH, ReadableRows
from tellapart.engine import Engine
from tellapart.errors import BundleError
from tellapart.files import cache_folder
from tellapart.models.features.feature_cache import StoredRows
from tellapart.models.features.frozen_backbone import FrozenBackbone, stored_features
from tellapart.training.tasks import Task

CHECKED = 2 * BATCH  # images on which the joined graph must say what base and head say one after the other
TOLERANCE = {"float32": 1e-3, "bfloat16": 2e-2}  # of a probability


def task_predictions(task: Task, images: Images, *, label: str) -> ReadableRows:
    """The probabilities of each image that can be read, float32 (n, classes), without a temperature.

    On a frozen base the features are in the cache, or belong there: base and head are run one after the other.
    """
    if task.base:
        return _step_by_step(task.base, task.head_engine, images, mirror=task.recipe.mirror, label=label)
    return probabilities(task.engine, task.preprocessing, images, label=label)


def require_agreement(task: Task, images: Images, answers: ReadableRows) -> None:
    """Check on some images that the graph that will predict says what base and head said. Raises BundleError."""
    if not task.base or not answers.kept:
        return
    some = images.take(answers.kept[:CHECKED])
    joined = probabilities(task.engine, task.preprocessing, some, label="checking the graph").values
    worst = float(np.abs(joined - answers.values[:CHECKED]).max())
    if worst > TOLERANCE[task.engine.precision]:
        raise BundleError(
            f"the finished graph disagrees with the network that was trained: probabilities differ by up to "
            f"{worst:.3f}, at most {TOLERANCE[task.engine.precision]} is rounding. Train with --precision float32, and "
            f"please report this"
        )


def _step_by_step(base: FrozenBackbone, head: Engine, images: Images, *, mirror: bool, label: str) -> ReadableRows:
    """What base and head say of images; with `mirror` the mean over each image and its mirror image."""
    features = stored_features(base, images, cache=cache_folder(), label=label)
    answers = _answers(head, features.rows)
    if mirror:
        images = MirroredImages(images.take(features.kept))
        rows = stored_features(base, images, cache=cache_folder(), label=f"{label}, mirrored").rows
        answers = np.mean([answers, _answers(head, rows)], axis=0, dtype=np.float32)
    return ReadableRows(answers, features.kept, features.skipped)


def _answers(head: Engine, rows: StoredRows) -> NDArray[np.float32]:
    answers = list(head.run(rows[start : start + BATCH] for start in range(0, len(rows), BATCH)))
    return np.concatenate(answers) if answers else np.empty((0, 0), np.float32)
