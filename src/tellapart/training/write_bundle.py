"""From a trained task to its bundle."""

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tellapart.bundles.bundle import split_by_hash, write_manifest
from tellapart.bundles.manifest import GRAPH, KERAS, SEEN
from tellapart.data.images import Images
from tellapart.data.pipeline import ReadableRows
from tellapart.engine import write_graph
from tellapart.files import atomic_folder, atomic_write
from tellapart.models.graphs.surgery import add_temperature
from tellapart.models.resolved_recipe import NetworkRecipe
from tellapart.training.final_evaluation import SPLITS, evaluate_finally
from tellapart.training.run_files import FEATURES, bundle_facts, seen_hashes, write_skipped
from tellapart.training.task_predictions import require_agreement, task_predictions
from tellapart.training.tasks import Task


def write_bundle(task: Task, recipe: NetworkRecipe, path: Path, *, splits: Sequence[str] = SPLITS) -> None:
    """Evaluate a trained task on these splits and write it as the bundle `path`; `recipe` is the one with all stages.

    Keras writes its copy meanwhile: neither needs the other.
    """

    def predict(images: Images, label: str) -> ReadableRows:
        predicted = task_predictions(task, images, label=label)
        require_agreement(task, images, predicted)
        return predicted

    seen = seen_hashes(task.dataset)
    with atomic_folder(path) as partial, ThreadPoolExecutor(1) as executor:
        saved = executor.submit(task.keras_classifier().save, partial / KERAS)
        evaluation = evaluate_finally(task.dataset, split_by_hash(seen), predict, splits)
        if evaluation.unread:
            write_skipped((*task.dataset.skipped, *evaluation.unread), path.parent)
        evaluation.write_predictions(path.parent)
        if task.frozen and len(task.frozen.shape) == 1:
            source = {"base": task.frozen.name, "key": task.frozen.key, "width": task.frozen.width}
            atomic_write(path.parent / FEATURES, json.dumps(source) + "\n")
        write_graph(add_temperature(task.graph, evaluation.temperature), partial / GRAPH)
        saved.result()
        (partial / SEEN).write_text(json.dumps(seen))
        manifest = bundle_facts(task.dataset, recipe, task.preprocessing, evaluation)
        write_manifest(partial, manifest, proved=True)
