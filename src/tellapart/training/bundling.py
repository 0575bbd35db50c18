"""From a trained task to the bundle that leaves."""

import json
from collections.abc import Sequence
from pathlib import Path

from tellapart.bundles.bundle import GRAPH, KERAS, SEEN, homes, write_manifest
from tellapart.engine import write_graph
from tellapart.files import atomic_folder
from tellapart.recipe import Recipe
from tellapart.training.common import facts_of, list_skipped, seen_by
from tellapart.training.tasks import Task
from tellapart.training.verdict import verdict


def write_bundle(task: Task, recipe: Recipe, path: Path, *, splits: Sequence[str] = ("validation", "test")) -> None:
    """Judge a trained task on these splits and write it as the bundle `path`; `recipe` is the one with all stages."""
    seen = seen_by(task.dataset)
    metrics, unread = verdict(task, homes(seen), splits)
    if unread:
        list_skipped((*task.dataset.skipped, *unread), path.parent)
    with atomic_folder(path) as partial:
        write_graph(task.graph, partial / GRAPH)
        task.product().save(partial / KERAS)
        (partial / SEEN).write_text(json.dumps(seen))
        write_manifest(partial, facts_of(task.dataset, recipe, task.preprocessing, metrics))
