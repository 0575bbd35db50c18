"""Predictions of a trained task, by the engine and at the precision of its bundle."""

import numpy as np
from numpy.typing import NDArray

from tellapart.bundles.evaluate import predict_readable
from tellapart.data.images import Images, MirroredImages
from tellapart.data.pipeline import BATCH, ReadableRows
from tellapart.engine import Engine
from tellapart.errors import BundleError
from tellapart.files import cache_folder
from tellapart.models.features.feature_cache import StoredRows
from tellapart.models.features.frozen_backbone import FrozenBackbone, stored_features
from tellapart.training.tasks import Task

CHECKED = 2 * BATCH  # images on which the joined graph must agree with backbone and head one after the other
TOLERANCE = {"float32": 1e-3, "bfloat16": 2e-2}  # of a probability


def task_predictions(task: Task, images: Images, *, label: str) -> ReadableRows:
    """Predict the images that can be read: probabilities float32 (n, classes), without a temperature.

    On a frozen backbone the features are in the cache, or belong there: backbone and head run one after the other.
    """
    if task.frozen:
        return _by_features(task.frozen, task.head_engine, images, mirror=task.recipe.mirror, label=label)
    return predict_readable(task.engine, task.preprocessing, images, label=label)


def require_agreement(task: Task, images: Images, predicted: ReadableRows) -> None:
    """Check on some images that the bundle's graph agrees with backbone and head. Raises BundleError."""
    if not task.frozen or not predicted.kept:
        return
    sample = images.take(predicted.kept[:CHECKED])
    joined = predict_readable(task.engine, task.preprocessing, sample, label="checking the graph").values
    worst = float(np.abs(joined - predicted.values[:CHECKED]).max())
    if worst > TOLERANCE[task.engine.precision]:
        raise BundleError(
            f"the finished graph disagrees with the network that was trained: probabilities differ by up to "
            f"{worst:.3f}, at most {TOLERANCE[task.engine.precision]} is rounding. Train with --precision float32, and "
            f"please report this"
        )


def _by_features(backbone: FrozenBackbone, head: Engine, images: Images, *, mirror: bool, label: str) -> ReadableRows:
    """Predict from features; with `mirror` the mean over each image and its mirror image."""
    features = stored_features(backbone, images, cache=cache_folder(), label=label)
    probs = _head_probabilities(head, features.rows)
    if mirror:
        images = MirroredImages(images.take(features.kept))
        rows = stored_features(backbone, images, cache=cache_folder(), label=f"{label}, mirrored").rows
        probs = np.mean([probs, _head_probabilities(head, rows)], axis=0, dtype=np.float32)
    return ReadableRows(probs, features.kept, features.skipped)


def _head_probabilities(head: Engine, rows: StoredRows) -> NDArray[np.float32]:
    batches = list(head.run(rows[start : start + BATCH] for start in range(0, len(rows), BATCH)))
    return np.concatenate(batches) if batches else np.empty((0, 0), np.float32)
