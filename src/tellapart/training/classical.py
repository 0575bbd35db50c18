"""A run of knn, forest or logistic: vectors of the images, a fit, judging, the bundle. On pixels without Keras."""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tellapart.bundles.bundle import GRAPH, SEEN, homes, write_manifest
from tellapart.data.dataset import Dataset
from tellapart.data.decoded import decoded_pixels
from tellapart.data.images import Images
from tellapart.data.pipeline import ReadableRows
from tellapart.data.preprocessing import Preprocessing
from tellapart.data.splits.draw_splits import require_classes
from tellapart.engine import Graph, write_graph
from tellapart.files import atomic_folder, cache_folder
from tellapart.models.classical.estimators import calibrated
from tellapart.models.classical.fit import estimator_probabilities, fit_estimator
from tellapart.models.graphs.head_graphs import pixel_graph
from tellapart.models.resolved_recipe import EstimatorRecipe
from tellapart.progress import notify
from tellapart.training.final_evaluation import evaluate_finally
from tellapart.training.prepare import (
    bundle_facts,
    drop_unreadable,
    list_skipped,
    preprocessing_for,
    seen_by,
    write_metrics,
)

if TYPE_CHECKING:
    from tellapart.models.features.frozen_backbone import FrozenBackbone


@dataclass(frozen=True)
class Source:
    """Where an estimator's vectors come from: a frozen base, or without one the pixels."""

    preprocessing: Preprocessing
    base: "FrozenBackbone | None"

    @property
    def graph(self) -> Graph:
        """Images, uint8 (n, height, width, channels), to vectors, float32 (n, width)."""
        if self.base is not None:
            return self.base.graph
        shape = self.preprocessing
        return pixel_graph(shape.height, shape.width, shape.channels)

    def vectors(self, images: Images, label: str) -> ReadableRows:
        """The vectors of the images that can be read: values float32 (n, width). Kept in the cache."""
        if self.base is not None:
            from tellapart.models.features.frozen_backbone import features_of

            return features_of(self.base, images, cache=cache_folder(), label=label)
        pixels = decoded_pixels(images, self.preprocessing, cache=cache_folder(), label=label)
        flat = pixels.values.reshape(len(pixels.values), -1).astype(np.float32)
        return ReadableRows(flat, pixels.kept, pixels.skipped)


def source_of(dataset: Dataset, recipe: EstimatorRecipe) -> Source:
    """What a settled recipe's estimator stands on. Raises WeightsError."""
    preprocessing = preprocessing_for(dataset, recipe)
    if recipe.backbone is None:
        return Source(preprocessing, None)
    from tellapart.backend import load_keras

    load_keras()
    from tellapart.training.tasks import backbone_for

    return Source(preprocessing, backbone_for(replace(recipe, unfreeze=0), preprocessing).base)


def train_estimator(dataset: Dataset, recipe: EstimatorRecipe, folder: Path) -> None:
    """Fit into `folder`, which holds the recipe already; `metrics.json` comes last and says that all is done."""
    if not (folder / "bundle").exists():
        _make_bundle(dataset, recipe, folder)
    write_metrics(folder)


def _make_bundle(dataset: Dataset, recipe: EstimatorRecipe, folder: Path) -> None:
    """Fit, judge and store. There is nothing to choose, so validation is only judged."""
    source = source_of(dataset, recipe)
    vectors: dict[str, ReadableRows] = {}
    for name in ("train", "validation"):
        if name in dataset.splits:
            vectors[name] = source.vectors(dataset.splits[name].images, f"features of {name}")
            dataset = drop_unreadable(dataset, name, vectors[name].kept, vectors[name].skipped)
    list_skipped(dataset.skipped, folder)
    require_classes(dataset)
    train = vectors["train"].values
    notify(f"{recipe.model}: fitted on {len(train):,} images of {train.shape[1]:,} numbers each")
    estimator = fit_estimator(recipe, train, dataset.splits["train"].labels, len(dataset.classes))

    def ask(images: Images, label: str) -> ReadableRows:
        found = source.vectors(images, label)
        return replace(found, values=estimator_probabilities(estimator, found.values, label=label))

    seen = seen_by(dataset)
    # What k-NN and forests give are shares of votes, often 0, of which no temperature makes probabilities.
    found = evaluate_finally(dataset, homes(seen), ask, calibrates=recipe.model == "logistic")
    if found.unread:
        list_skipped((*dataset.skipped, *found.unread), folder)
    found.write_predictions(folder)
    with atomic_folder(folder / "bundle") as partial:
        write_graph(source.graph, partial / GRAPH)
        calibrated(estimator, found.temperature).write(partial)
        (partial / SEEN).write_text(json.dumps(seen))
        write_manifest(partial, bundle_facts(dataset, recipe, source.preprocessing, found))
