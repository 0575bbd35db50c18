"""What the finished classifier is worth. Here, after every choice, the test split is opened."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.bundles.evaluation import judged, probabilities, unseen
from tellapart.data.dataset import Pictures, Readable, Skipped
from tellapart.data.reading import BATCH
from tellapart.data.views import MirroredPictures
from tellapart.engine import Engine
from tellapart.errors import BundleError
from tellapart.files import cache_folder
from tellapart.models.feature_cache import StoredRows
from tellapart.models.features import FrozenBase, stored_features
from tellapart.training.tasks import Task

CHECKED = 2 * BATCH  # pictures on which the joined graph must say what base and head say one after the other
TOLERANCE = {"float32": 1e-3, "bfloat16": 2e-2}  # of a probability


def verdict(
    task: Task, seen: Mapping[str, str], splits: Sequence[str] = ("validation", "test")
) -> tuple[dict[str, Any], tuple[Skipped, ...]]:
    """Judge the graph that will predict on these splits; `seen` as in the bundle.

    On a frozen base the features are in the cache, or belong there: base and head are run one after the other, by
    the engine and at the precision that predict, and the graph that joins them is checked to say the same. Returns
    the metrics by split and the pictures that could not be read. Raises BundleError when the graph disagrees.
    """
    metrics: dict[str, Any] = {}
    unread: tuple[Skipped, ...] = ()
    for name in splits:
        if name not in task.dataset.splits:
            continue
        split = unseen(task.dataset, name, seen)
        answers = answers_of(task, split.pictures, label=f"judging on {name}")
        if task.base and answers.kept:  # else `judged` says that none can be read
            _require_agreement(task, split.pictures, answers)
        metrics[name] = judged(answers, split, task.dataset.classes, label=name).as_json()
        unread += answers.skipped
    return metrics, unread


def answers_of(task: Task, pictures: Pictures, *, label: str) -> Readable:
    """What a trained task says of pictures: values float32 (n, classes)."""
    if task.base:
        return step_by_step(task.base, task.head_engine, pictures, mirror=task.recipe.mirror, label=label)
    return probabilities(task.engine, task.preprocessing, pictures, label=label)


def step_by_step(base: FrozenBase, head: Engine, pictures: Pictures, *, mirror: bool, label: str) -> Readable:
    """What base and head say of pictures, the base's features coming from the cache: values float32 (n, classes).

    With `mirror` the mean over each picture and its mirror image.
    """
    features = stored_features(base, pictures, cache=cache_folder(), label=label)
    answers = _answers(head, features.rows)
    if mirror:
        images = MirroredPictures(pictures.take(features.kept))
        rows = stored_features(base, images, cache=cache_folder(), label=f"{label}, mirrored").rows
        answers = np.mean([answers, _answers(head, rows)], axis=0, dtype=np.float32)
    return Readable(answers, features.kept, features.skipped)


def _answers(head: Engine, rows: StoredRows) -> NDArray[np.float32]:
    answers = list(head.run(rows[start : start + BATCH] for start in range(0, len(rows), BATCH)))
    return np.concatenate(answers) if answers else np.empty((0, 0), np.float32)


def _require_agreement(task: Task, pictures: Pictures, answers: Readable) -> None:
    some = pictures.take(answers.kept[:CHECKED])
    joined = probabilities(task.engine, task.preprocessing, some, label="checking the graph").values
    worst = float(np.abs(joined - answers.values[:CHECKED]).max())
    if worst > TOLERANCE[task.engine.precision]:
        raise BundleError(
            f"the finished graph disagrees with the network that was trained: probabilities differ by up to "
            f"{worst:.3f}, at most {TOLERANCE[task.engine.precision]} is rounding. Train with --precision float32, and "
            f"please report this"
        )
