"""What there is to train: on a frozen base what stands above it, from its features; else every layer, from pixels."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import keras
import numpy as np

from tellapart.data.augmentation.augmentation import Augmentation
from tellapart.data.augmentation.augmented import AugmentedImages
from tellapart.data.dataset import Dataset
from tellapart.data.decoded import decoded_pixels
from tellapart.data.images import ConcatImages, Images, MirroredImages
from tellapart.data.pipeline import BATCH
from tellapart.data.preprocessing import Preprocessing
from tellapart.engine import Engine, Graph
from tellapart.models.features.backbone_registry import register_backbone
from tellapart.models.features.frozen_backbone import FrozenBackbone, stored_features
from tellapart.models.freezing import cut_off, split_frozen
from tellapart.models.graphs.from_keras import mirrored, to_graph
from tellapart.models.graphs.graph_heads import join_head
from tellapart.models.mixed_precision import set_mixed_precision
from tellapart.models.networks import (
    backbone,
    frozen_network,
    head_network,
    scratch_network,
    unfrozen_network,
    whole,
)
from tellapart.models.resolved_recipe import NetworkRecipe, ResolvedRecipe
from tellapart.training.examples import Array, Examples, Rows
from tellapart.training.prepare import drop_unreadable

IN_MEMORY = 256_000_000  # bytes of features that are read once and kept, instead of from disk in each epoch


@dataclass(frozen=True)
class Start:
    """The weights that an earlier stage left: of the network of keras.applications, and of each layer above it."""

    backbone: list[Array] | None
    above: Mapping[str, list[Array]]


@dataclass(frozen=True)
class Backbone:
    """What a network stands on: a frozen base or nothing, and the layers above it that are trained, if any.

    `backbone` holds the layers of both; None where there are none with weights from elsewhere.
    """

    base: FrozenBackbone | None
    unfrozen: keras.Model | None
    backbone: keras.Model | None

    def network(self, recipe: NetworkRecipe, channels: int, classes: int) -> keras.Model:
        """A fresh network to train here, to logits."""
        if self.unfrozen is not None:
            return unfrozen_network(self.unfrozen, recipe, classes, from_images=self.base is None)
        if self.base:
            return head_network(self.base.width, recipe, classes)
        return scratch_network(recipe, channels, classes)


@dataclass(frozen=True)
class Task:
    """A network to be trained, its examples, and what it stands on."""

    network: keras.Model
    recipe: NetworkRecipe
    preprocessing: Preprocessing
    standing: Backbone
    train: Examples
    validation: Examples | None
    dataset: Dataset
    """Without the images that turned out to be unreadable: those are among its `skipped`."""

    @property
    def base(self) -> FrozenBackbone | None:
        """The frozen base, if there is one."""
        return self.standing.base

    def product(self) -> keras.Model:
        """The whole classifier: uint8 images to probabilities."""
        set_mixed_precision(self.network, mixed=False)
        return whole(self.base.network if self.base else None, self.network, mirror=self.recipe.mirror)

    @cached_property
    def head_graph(self) -> Graph:
        """What was trained, as a graph to probabilities: from images, or on a frozen base from features."""
        set_mixed_precision(self.network, mixed=False)
        return to_graph(whole(None, self.network))

    @cached_property
    def graph(self) -> Graph:
        """The whole classifier as a graph."""
        graph = join_head(self.base.graph, self.head_graph) if self.base else self.head_graph
        return mirrored(graph) if self.recipe.mirror else graph

    @cached_property
    def head_engine(self) -> Engine:
        """What was trained, compiled at the precision that predicts."""
        return Engine(self.head_graph, batch=BATCH, precision=self.recipe.precision)

    @cached_property
    def engine(self) -> Engine:
        """The whole classifier, compiled at the precision that predicts."""
        return Engine(self.graph, batch=BATCH, precision=self.recipe.precision)

    def end(self) -> Start:
        """What the next stage starts from."""
        above = {layer.name: layer.get_weights() for layer in self.network.layers if not isinstance(layer, keras.Model)}
        inner, backbone = _model_inside(self.network), self.standing.backbone
        if inner is not None and self.standing.unfrozen is not None:
            self.standing.unfrozen.set_weights(inner.get_weights())  # these layers are the backbone's own
        source = inner if backbone is None else backbone
        return Start(source.get_weights() if source is not None else None, above)


def make_task(
    dataset: Dataset,
    recipe: NetworkRecipe,
    preprocessing: Preprocessing,
    *,
    cache: Path,
    start: Start | None = None,
    standing: Backbone | None = None,
) -> Task:
    """Decode, and run the frozen base where there is one, over the training and validation splits.

    `start` is what an earlier stage left; without it weights are as the recipe says. `standing` is what the
    recipe's network stands on, where that has been made.
    """
    standing = standing or backbone_for(recipe, preprocessing, start)
    examples: dict[str, Examples] = {}
    for name in ("train", "validation"):
        if name in dataset.splits:
            dataset, examples[name] = _examples(dataset, name, standing.base, recipe, preprocessing, cache)
    network = standing.network(recipe, preprocessing.channels, len(dataset.classes))
    if start:
        _go_on_from(start, network, standing)
    return Task(network, recipe, preprocessing, standing, examples["train"], examples.get("validation"), dataset)


def backbone_for(recipe: ResolvedRecipe, preprocessing: Preprocessing, start: Start | None = None) -> Backbone:
    """What a recipe's network stands on."""
    name = recipe.backbone
    if name is None:
        return Backbone(None, None, None)
    network = cut_off(backbone(name, recipe.size, recipe.weights), recipe.cut)
    if start and start.backbone:
        network.set_weights(start.backbone)
    division = split_frozen(network, recipe.unfreeze)
    if division.frozen is None:
        return Backbone(None, division.trained, network)
    frozen = frozen_network(division.frozen, name, pooled=division.trained is None)
    base = FrozenBackbone(name, frozen, preprocessing, recipe.precision)
    whole = division.trained is None and recipe.cut is None and start is None
    if whole and recipe.weights == "imagenet":
        register_backbone(base)
    return Backbone(base, division.trained, network)


def _examples(
    dataset: Dataset,
    name: str,
    base: FrozenBackbone | None,
    recipe: NetworkRecipe,
    preprocessing: Preprocessing,
    cache: Path,
) -> tuple[Dataset, Examples]:
    """The examples of a split, and the data set without the images of it that cannot be read."""
    images = dataset.splits[name].images
    if base is None:
        pixels = decoded_pixels(images, preprocessing, cache=cache, label=f"decoding {name}")
        dataset = drop_unreadable(dataset, name, pixels.kept, pixels.skipped)
        return dataset, Examples(pixels.values, dataset.splits[name].labels)
    found = stored_features(base, images, cache=cache, label=f"features of {name}")
    dataset = drop_unreadable(dataset, name, found.kept, found.skipped)
    rows, labels = found.rows, dataset.splits[name].labels
    if name == "train" and (more := looks(dataset.splits[name].images, recipe, preprocessing)):
        every = ConcatImages((dataset.splits[name].images, *more))
        rows = stored_features(base, every, cache=cache, label="features of the views of train").rows
        labels = np.tile(labels, len(rows) // len(labels))
    small = len(rows) * base.width * 4 <= IN_MEMORY
    inputs: Rows = rows[:] if small else rows
    return dataset, Examples(inputs, labels)


def looks(images: Images, recipe: NetworkRecipe, preprocessing: Preprocessing) -> list[Images]:
    """What else of the training images goes through a frozen base."""
    looks: list[Images] = [MirroredImages(images)] if recipe.mirror else []
    augmentation = Augmentation.parse(recipe.augment)
    if augmentation.distorts and recipe.views:
        looks.append(AugmentedImages(images, preprocessing, augmentation, recipe.views, recipe.seed))
    return looks


def _go_on_from(start: Start, network: keras.Model, standing: Backbone) -> None:
    for layer in network.layers:
        if not isinstance(layer, keras.Model) and layer.weights:
            layer.set_weights(start.above[layer.name])
    inner = _model_inside(network)
    if inner is not None and standing.backbone is None and start.backbone:
        inner.set_weights(start.backbone)


def _model_inside(network: keras.Model) -> keras.Model | None:
    return next((layer for layer in network.layers if isinstance(layer, keras.Model)), None)
