"""From a trained task to the bundle that leaves."""

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tellapart.bundles.bundle import GRAPH, KERAS, SEEN, homes, write_manifest
from tellapart.data.images import Images
from tellapart.data.pipeline import ReadableRows
from tellapart.engine import write_graph
from tellapart.files import atomic_folder, atomic_write
from tellapart.models.graphs.graph_heads import add_temperature
from tellapart.models.resolved_recipe import NetworkRecipe
from tellapart.training.final_evaluation import SPLITS, evaluate_finally
from tellapart.training.prepare import FEATURES, bundle_facts, list_skipped, seen_by
from tellapart.training.task_predictions import require_agreement, task_predictions
from tellapart.training.tasks import Task


def write_bundle(task: Task, recipe: NetworkRecipe, path: Path, *, splits: Sequence[str] = SPLITS) -> None:
    """Judge a trained task on these splits and write it as the bundle `path`; `recipe` is the one with all stages.

    Keras writes its copy meanwhile: neither needs the other.
    """

    def ask(images: Images, label: str) -> ReadableRows:
        answers = task_predictions(task, images, label=label)
        require_agreement(task, images, answers)
        return answers

    seen = seen_by(task.dataset)
    with atomic_folder(path) as partial, ThreadPoolExecutor(1) as beside:
        saved = beside.submit(task.product().save, partial / KERAS)
        found = evaluate_finally(task.dataset, homes(seen), ask, splits)
        if found.unread:
            list_skipped((*task.dataset.skipped, *found.unread), path.parent)
        found.write_predictions(path.parent)
        if task.base and len(task.base.shape) == 1:
            facts = {"base": task.base.name, "key": task.base.key, "width": task.base.width}
            atomic_write(path.parent / FEATURES, json.dumps(facts) + "\n")
        write_graph(add_temperature(task.graph, found.temperature), partial / GRAPH)
        saved.result()
        (partial / SEEN).write_text(json.dumps(seen))
        write_manifest(partial, bundle_facts(task.dataset, recipe, task.preprocessing, found))
