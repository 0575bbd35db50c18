"""A run of knn, forest or logistic: vectors of the pictures, a fit, judging, the bundle. On pixels without Keras."""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tellapart.bundles.bundle import GRAPH, SEEN, homes, write_manifest
from tellapart.data.dataset import Dataset, Pictures, Readable
from tellapart.data.decoded import pixels_of
from tellapart.data.preprocessing import Preprocessing
from tellapart.data.splits.draw_splits import require_classes
from tellapart.engine import Graph, write_graph
from tellapart.files import atomic_folder, cache_folder
from tellapart.models.catalogue import base_of
from tellapart.models.classical.estimators import calibrated
from tellapart.models.classical.fit import estimator_probabilities, fit_estimator
from tellapart.models.graphs.head_graphs import pixel_graph
from tellapart.progress import say
from tellapart.recipe import Recipe
from tellapart.training.final_evaluation import verdict
from tellapart.training.prepare import facts_of, list_skipped, preprocessing_for, seen_by, without, write_metrics

if TYPE_CHECKING:
    from tellapart.models.features.frozen_backbone import FrozenBase


@dataclass(frozen=True)
class Source:
    """Where an estimator's vectors come from: a frozen base, or without one the pixels."""

    preprocessing: Preprocessing
    base: "FrozenBase | None"

    @property
    def graph(self) -> Graph:
        """Pictures, uint8 (n, height, width, channels), to vectors, float32 (n, width)."""
        if self.base is not None:
            return self.base.graph
        shape = self.preprocessing
        return pixel_graph(shape.height, shape.width, shape.channels)

    def vectors(self, pictures: Pictures, label: str) -> Readable:
        """The vectors of the pictures that can be read: values float32 (n, width). Kept in the cache."""
        if self.base is not None:
            from tellapart.models.features.frozen_backbone import features_of

            return features_of(self.base, pictures, cache=cache_folder(), label=label)
        pixels = pixels_of(pictures, self.preprocessing, cache=cache_folder(), label=label)
        flat = pixels.values.reshape(len(pixels.values), -1).astype(np.float32)
        return Readable(flat, pixels.kept, pixels.skipped)


def source_of(dataset: Dataset, recipe: Recipe) -> Source:
    """What a settled recipe's estimator stands on. Raises WeightsError."""
    preprocessing, base = preprocessing_for(dataset, recipe), base_of(recipe)
    if base is None:
        return Source(preprocessing, None)
    from tellapart.backend import load_keras

    load_keras()
    from tellapart.training.tasks import standing_of

    return Source(preprocessing, standing_of(replace(recipe, model=base, unfreeze=0), preprocessing).base)


def work(dataset: Dataset, recipe: Recipe, folder: Path) -> None:
    """Fit into `folder`, which holds the recipe already; `metrics.json` comes last and says that all is done."""
    if not (folder / "bundle").exists():
        _make_bundle(dataset, recipe, folder)
    write_metrics(folder)


def _make_bundle(dataset: Dataset, recipe: Recipe, folder: Path) -> None:
    """Fit, judge and store. There is nothing to choose, so validation is only judged."""
    source = source_of(dataset, recipe)
    vectors: dict[str, Readable] = {}
    for name in ("train", "validation"):
        if name in dataset.splits:
            vectors[name] = source.vectors(dataset.splits[name].pictures, f"features of {name}")
            dataset = without(dataset, name, vectors[name].kept, vectors[name].skipped)
    list_skipped(dataset.skipped, folder)
    require_classes(dataset)
    train = vectors["train"].values
    say(f"{recipe.model}: fitted on {len(train):,} pictures of {train.shape[1]:,} numbers each")
    estimator = fit_estimator(recipe, train, dataset.splits["train"].labels, len(dataset.classes))

    def ask(pictures: Pictures, label: str) -> Readable:
        found = source.vectors(pictures, label)
        return replace(found, values=estimator_probabilities(estimator, found.values, label=label))

    seen = seen_by(dataset)
    # What k-NN and forests give are shares of votes, often 0, of which no temperature makes probabilities.
    found = verdict(dataset, homes(seen), ask, calibrates=recipe.model == "logistic")
    if found.unread:
        list_skipped((*dataset.skipped, *found.unread), folder)
    found.write_answers(folder)
    with atomic_folder(folder / "bundle") as partial:
        write_graph(source.graph, partial / GRAPH)
        calibrated(estimator, found.temperature).write(partial)
        (partial / SEEN).write_text(json.dumps(seen))
        write_manifest(partial, facts_of(dataset, recipe, source.preprocessing, found))
