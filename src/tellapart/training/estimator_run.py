"""Train knn, forest or logistic into a run's folder: vectors, fit, evaluation, bundle. On pixels without Keras."""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tellapart.backend import load_keras
from tellapart.bundles.bundle import split_by_hash, write_manifest
from tellapart.bundles.manifest import GRAPH, SEEN
from tellapart.data.dataset import Dataset
from tellapart.data.images import Images
from tellapart.data.pipeline import ReadableRows
from tellapart.data.pixel_cache import decoded_pixels
from tellapart.data.preprocessing import Preprocessing
from tellapart.data.splits.draw_splits import require_classes
from tellapart.engine import Graph, write_graph
from tellapart.files import atomic_folder, cache_folder
from tellapart.models.classical.estimators import with_temperature
from tellapart.models.classical.fit import estimator_probabilities, fit_estimator
from tellapart.models.graphs.estimator_graphs import pixel_graph
from tellapart.models.resolved_recipe import EstimatorRecipe
from tellapart.progress import notify
from tellapart.training.final_evaluation import evaluate_finally
from tellapart.training.prepare import drop_unreadable, preprocessing_for
from tellapart.training.run_files import bundle_facts, seen_hashes, write_metrics, write_skipped

if TYPE_CHECKING:
    from tellapart.models.features.frozen_backbone import FrozenBackbone


@dataclass(frozen=True)
class VectorSource:
    """Source of an estimator's vectors: a frozen backbone, or without one the pixels."""

    preprocessing: Preprocessing
    backbone: "FrozenBackbone | None"
    dataset: str | None = None
    """Name of the data set, for the list of what the cache holds."""

    @property
    def graph(self) -> Graph:
        """Graph from images, uint8 (n, height, width, channels), to vectors, float32 (n, width)."""
        if self.backbone is not None:
            return self.backbone.graph
        shape = self.preprocessing
        return pixel_graph(shape.height, shape.width, shape.channels)

    def vectors(self, images: Images, label: str) -> ReadableRows:
        """Return the vectors of the images that can be read, float32 (n, width), by way of the cache."""
        if self.backbone is not None:
            from tellapart.models.features.frozen_backbone import compute_features

            return compute_features(self.backbone, images, cache=cache_folder(), label=label, dataset=self.dataset)
        pixels = decoded_pixels(images, self.preprocessing, cache=cache_folder(), label=label, dataset=self.dataset)
        flat = pixels.values.reshape(len(pixels.values), -1).astype(np.float32)
        return ReadableRows(flat, pixels.kept, pixels.skipped)


def vector_source(dataset: Dataset, recipe: EstimatorRecipe) -> VectorSource:
    """Build the source of a recipe's vectors. Raises WeightsError."""
    preprocessing = preprocessing_for(dataset, recipe)
    if recipe.backbone is None:
        return VectorSource(preprocessing, None, dataset.name)
    load_keras()
    from tellapart.training.tasks import backbone_for

    frozen = backbone_for(replace(recipe, unfreeze=0), preprocessing).frozen
    return VectorSource(preprocessing, frozen, dataset.name)


def train_estimator(dataset: Dataset, recipe: EstimatorRecipe, folder: Path) -> None:
    """Fit into `folder`, which has the recipe already; `metrics.json` comes last."""
    if not (folder / "bundle").exists():
        _write_bundle(dataset, recipe, folder)
    write_metrics(folder)


def _write_bundle(dataset: Dataset, recipe: EstimatorRecipe, folder: Path) -> None:
    """Fit, evaluate and store. There is no epoch to choose, so validation is only evaluated."""
    source = vector_source(dataset, recipe)
    vectors: dict[str, ReadableRows] = {}
    for name in ("train", "validation"):
        if name in dataset.splits:
            vectors[name] = source.vectors(dataset.splits[name].images, f"features of {name}")
            dataset = drop_unreadable(dataset, name, vectors[name].kept, vectors[name].skipped)
    write_skipped(dataset.skipped, folder)
    require_classes(dataset)
    train = vectors["train"].values
    notify(f"{recipe.model}: fitted on {len(train):,} images of {train.shape[1]:,} numbers each")
    estimator = fit_estimator(recipe, train, dataset.splits["train"].labels, len(dataset.classes))

    def predict(images: Images, label: str) -> ReadableRows:
        readable = source.vectors(images, label)
        return replace(readable, values=estimator_probabilities(estimator, readable.values, label=label))

    seen = seen_hashes(dataset)
    # k-NN and forests give shares of votes, often 0, of which no temperature makes probabilities.
    evaluation = evaluate_finally(dataset, split_by_hash(seen), predict, calibrates=recipe.model == "logistic")
    if evaluation.unread:
        write_skipped((*dataset.skipped, *evaluation.unread), folder)
    evaluation.write_predictions(folder)
    with atomic_folder(folder / "bundle") as partial:
        write_graph(source.graph, partial / GRAPH)
        with_temperature(estimator, evaluation.temperature).write(partial)
        (partial / SEEN).write_text(json.dumps(seen))
        write_manifest(partial, bundle_facts(dataset, recipe, source.preprocessing, evaluation), proved=True)
