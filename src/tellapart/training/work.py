"""The work of a run, once everything that can be refused early has been: features, fit, judging, bundle."""

import csv
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tellapart.bundles.bundle import GRAPH, HASH_DIGITS, KERAS, SEEN, Bundle, Facts, homes, write_manifest
from tellapart.data.dataset import Dataset, Skipped
from tellapart.data.preprocessing import Preprocessing
from tellapart.data.splits import require_classes
from tellapart.engine import write_graph
from tellapart.files import atomic_folder, atomic_write, cache_folder
from tellapart.models.catalogue import lookup
from tellapart.progress import say
from tellapart.recipe import Recipe
from tellapart.training.fit import fit
from tellapart.training.loop import repeatable
from tellapart.training.tasks import make_task, preprocessing_for
from tellapart.training.verdict import verdict


def work(dataset: Dataset, recipe: Recipe, folder: Path) -> None:
    """Train into `folder`, which holds the recipe already; `metrics.json` comes last and says that all is done."""
    if not (folder / "bundle").exists():
        _make_bundle(dataset, recipe, folder)
    metrics = Bundle.open(folder / "bundle").metrics
    atomic_write(folder / "metrics.json", json.dumps(metrics, indent=2) + "\n")


def _make_bundle(dataset: Dataset, recipe: Recipe, folder: Path) -> None:
    repeatable(recipe.seed)
    preprocessing = preprocessing_for(dataset, recipe)
    task = make_task(dataset, recipe, preprocessing, cache=cache_folder())
    _list_skipped(task.dataset.skipped, folder)
    require_classes(task.dataset)
    _, best = fit(task.network, recipe, task.train, task.validation, folder=folder)
    say(f"kept the weights of epoch {best}")
    seen = _seen(task.dataset)
    metrics, unread = verdict(task, recipe, homes(seen))
    if unread:
        _list_skipped((*task.dataset.skipped, *unread), folder)
    with atomic_folder(folder / "bundle") as partial:
        write_graph(task.graph, partial / GRAPH)
        task.product().save(partial / KERAS)
        (partial / SEEN).write_text(json.dumps(seen))
        write_manifest(partial, _facts(task.dataset, recipe, preprocessing, metrics))


def _seen(dataset: Dataset) -> dict[str, list[str]]:
    """For each split that training or choosing uses, the start of its pictures' hashes."""
    names = [name for name in ("train", "validation") if name in dataset.splits]
    return {name: sorted({digest[:HASH_DIGITS] for digest in dataset.splits[name].pictures.digests}) for name in names}


def _facts(dataset: Dataset, recipe: Recipe, preprocessing: Preprocessing, metrics: Mapping[str, Any]) -> Facts:
    return Facts(
        name=dataset.name,
        classes=dataset.classes,
        preprocessing=preprocessing,
        recipe=recipe.as_dict(),
        metrics=metrics,
        fingerprint=dataset.fingerprint,
        licence=lookup(recipe.model).licence if recipe.weights != "none" else None,
    )


def _list_skipped(skipped: tuple[Skipped, ...], folder: Path) -> None:
    if not skipped:
        return
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["path", "reason"])
    table.writerows([one.path, one.reason] for one in skipped)
    atomic_write(folder / "skipped.csv", text.getvalue())
    say(
        f"skipped {len(skipped)} pictures that cannot be read, {skipped[0].path} ({skipped[0].reason}) first: "
        f"all are in {folder / 'skipped.csv'}"
    )
