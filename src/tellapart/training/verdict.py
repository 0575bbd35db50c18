"""What the finished classifier is worth. Here, after every choice, the test split is opened."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tellapart.bundles.evaluation import judged, probabilities, unseen
from tellapart.data.dataset import Pictures, Readable, Skipped
from tellapart.data.reading import BATCH
from tellapart.engine import Engine
from tellapart.errors import BundleError
from tellapart.files import cache_folder
from tellapart.models.features import FrozenBase, stored_features
from tellapart.recipe import Recipe
from tellapart.training.tasks import Task

CHECKED = 2 * BATCH  # pictures on which the joined graph must say what base and head say one after the other
TOLERANCE = {"float32": 1e-3, "bfloat16": 2e-2}  # of a probability


def verdict(
    task: Task, recipe: Recipe, seen: Mapping[str, str], splits: Sequence[str] = ("validation", "test")
) -> tuple[dict[str, Any], tuple[Skipped, ...]]:
    """Judge the graph that will predict on these splits; `seen` as in the bundle.

    On a frozen base the features are in the cache, or belong there: base and head are run one after the other, by
    the engine and at the precision that predict, and the graph that joins them is checked to say the same. Returns
    the metrics by split and the pictures that could not be read. Raises BundleError when the graph disagrees.
    """
    engine = Engine(task.graph, batch=BATCH, precision=recipe.precision)
    stepwise = task.base is not None and not recipe.mirror  # mirror images are seen by the whole graph only
    head = Engine(task.head_graph, batch=BATCH, precision=recipe.precision) if stepwise else None
    metrics: dict[str, Any] = {}
    unread: tuple[Skipped, ...] = ()
    for name in splits:
        if name not in task.dataset.splits:
            continue
        split = unseen(task.dataset, name, seen)
        if task.base and head:
            answers = _step_by_step(task.base, head, split.pictures, name)
            if answers.kept:  # else `judged` says that none can be read
                _require_agreement(engine, task, split.pictures, answers)
        else:
            answers = probabilities(engine, task.preprocessing, split.pictures, label=f"judging on {name}")
        metrics[name] = judged(answers, split, task.dataset.classes, label=name).as_json()
        unread += answers.skipped
    return metrics, unread


def _step_by_step(base: FrozenBase, head: Engine, pictures: Pictures, name: str) -> Readable:
    features = stored_features(base, pictures, cache=cache_folder(), label=f"features of {name}")
    batches = (features.rows[start : start + BATCH] for start in range(0, len(features.rows), BATCH))
    rows = list(head.run(batches))
    return Readable(np.concatenate(rows) if rows else features.rows[:], features.kept, features.skipped)


def _require_agreement(engine: Engine, task: Task, pictures: Pictures, answers: Readable) -> None:
    some = pictures.take(answers.kept[:CHECKED])
    joined = probabilities(engine, task.preprocessing, some, label="checking the graph").values
    worst = float(np.abs(joined - answers.values[:CHECKED]).max())
    if worst > TOLERANCE[engine.precision]:
        raise BundleError(
            f"the finished graph disagrees with the network that was trained: probabilities differ by up to "
            f"{worst:.3f}, at most {TOLERANCE[engine.precision]} is rounding. Train with --precision float32, and "
            f"please report this"
        )
