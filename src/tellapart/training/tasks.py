"""Training tasks: on a frozen backbone the layers above it, from cached features; else every layer, from pixels."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import keras
import numpy as np

from tellapart.data.augmentation.augmentation import Augmentation
from tellapart.data.augmentation.augmented import AugmentedImages
from tellapart.data.dataset import Dataset
from tellapart.data.images import ConcatImages, Images, MirroredImages
from tellapart.data.pipeline import BATCH
from tellapart.data.pixel_cache import decoded_pixels
from tellapart.data.preprocessing import Preprocessing
from tellapart.engine import Engine, Graph
from tellapart.models.features.backbone_registry import register_backbone
from tellapart.models.features.frozen_backbone import FrozenBackbone, stored_features
from tellapart.models.freezing import split_backbone, truncate_at
from tellapart.models.graphs.convert import to_graph
from tellapart.models.graphs.surgery import join_head, mirror_graph
from tellapart.models.networks import (
    frozen_network,
    head_network,
    join_classifier,
    scratch_network,
    set_mixed_precision,
    unfrozen_network,
)
from tellapart.models.networks import load_backbone as build_backbone
from tellapart.models.resolved_recipe import NetworkRecipe, ResolvedRecipe
from tellapart.training.fitting.examples import Array, Examples, Rows
from tellapart.training.prepare import drop_unreadable

IN_MEMORY_BYTES = 256_000_000  # of features that are read once and kept, instead of from disk in each epoch


@dataclass(frozen=True)
class StageWeights:
    """Weights that a stage leaves to the next: of the network of keras.applications, and of each layer above it."""

    backbone: list[Array] | None
    head: Mapping[str, list[Array]]


@dataclass(frozen=True)
class Backbone:
    """The pre-trained network below a classifier's head, divided into a frozen and a trainable part.

    `frozen` and `trainable` are None where that part has no layers; `keras_model` holds the layers of both. All are
    None for a network trained from scratch.
    """

    frozen: FrozenBackbone | None
    trainable: keras.Model | None
    keras_model: keras.Model | None

    def new_network(self, recipe: NetworkRecipe, channels: int, classes: int) -> keras.Model:
        """Build the network that is trained, its head freshly initialised, to logits."""
        if self.trainable is not None:
            return unfrozen_network(self.trainable, recipe, classes, from_images=self.frozen is None)
        if self.frozen:
            return head_network(self.frozen.width, recipe, classes)
        return scratch_network(recipe, channels, classes)


@dataclass(frozen=True)
class Task:
    """A network to train, the backbone below it, and its examples."""

    network: keras.Model
    recipe: NetworkRecipe
    preprocessing: Preprocessing
    backbone: Backbone
    train: Examples
    validation: Examples | None
    dataset: Dataset
    """Without the images that turned out to be unreadable: those are among its `skipped`."""

    @property
    def frozen(self) -> FrozenBackbone | None:
        """The frozen part of the backbone, if there is one."""
        return self.backbone.frozen

    def keras_classifier(self) -> keras.Model:
        """Build the whole classifier: uint8 images to probabilities."""
        set_mixed_precision(self.network, mixed=False)
        return join_classifier(self.frozen.network if self.frozen else None, self.network, mirror=self.recipe.mirror)

    @cached_property
    def head_graph(self) -> Graph:
        """Graph of what is trained, to probabilities: from images, or on a frozen backbone from features."""
        set_mixed_precision(self.network, mixed=False)
        return to_graph(join_classifier(None, self.network))

    @cached_property
    def graph(self) -> Graph:
        """Graph of the whole classifier."""
        graph = join_head(self.frozen.graph, self.head_graph) if self.frozen else self.head_graph
        return mirror_graph(graph) if self.recipe.mirror else graph

    @cached_property
    def head_engine(self) -> Engine:
        """Engine of `head_graph`, at the precision of predictions."""
        return Engine(self.head_graph, batch=BATCH, precision=self.recipe.precision)

    @cached_property
    def engine(self) -> Engine:
        """Engine of the whole classifier, at the precision of predictions."""
        return Engine(self.graph, batch=BATCH, precision=self.recipe.precision)

    def weights(self) -> StageWeights:
        """Return the weights that the next stage starts from."""
        head = {layer.name: layer.get_weights() for layer in self.network.layers if not isinstance(layer, keras.Model)}
        trained, backbone = _inner_model(self.network), self.backbone
        if trained is not None and backbone.trainable is not None:
            backbone.trainable.set_weights(trained.get_weights())  # these layers are the backbone's own
        source = trained if backbone.keras_model is None else backbone.keras_model
        return StageWeights(source.get_weights() if source is not None else None, head)


def make_task(
    dataset: Dataset,
    recipe: NetworkRecipe,
    preprocessing: Preprocessing,
    *,
    cache: Path,
    previous: StageWeights | None = None,
    backbone: Backbone | None = None,
) -> Task:
    """Decode the training and validation splits, or run the frozen backbone over them, and build the network.

    `previous` are the weights of an earlier stage; without it weights are as the recipe says. `load_backbone` is the
    recipe's backbone where it is built already.
    """
    backbone = backbone or backbone_for(recipe, preprocessing, previous)
    examples: dict[str, Examples] = {}
    for name in ("train", "validation"):
        if name in dataset.splits:
            dataset, examples[name] = _examples(dataset, name, backbone.frozen, recipe, preprocessing, cache)
    network = backbone.new_network(recipe, preprocessing.channels, len(dataset.classes))
    if previous:
        _load_weights(previous, network, backbone)
    return Task(network, recipe, preprocessing, backbone, examples["train"], examples.get("validation"), dataset)


def backbone_for(
    recipe: ResolvedRecipe, preprocessing: Preprocessing, previous: StageWeights | None = None
) -> Backbone:
    """Build a recipe's backbone, with the weights of an earlier stage if there are any. Raises WeightsError."""
    name = recipe.backbone
    if name is None:
        return Backbone(None, None, None)
    network = truncate_at(build_backbone(name, recipe.size, recipe.weights), recipe.cut)
    if previous and previous.backbone:
        network.set_weights(previous.backbone)
    division = split_backbone(network, recipe.unfreeze)
    if division.frozen is None:
        return Backbone(None, division.trained, network)
    model = frozen_network(division.frozen, name, pooled=division.trained is None)
    frozen = FrozenBackbone(name, model, preprocessing, recipe.precision)
    is_whole = division.trained is None and recipe.cut is None and previous is None
    if is_whole and recipe.weights == "imagenet":
        register_backbone(frozen)
    return Backbone(frozen, division.trained, network)


def extra_views(images: Images, recipe: NetworkRecipe, preprocessing: Preprocessing) -> list[Images]:
    """Return the mirrored and augmented images that a frozen backbone sees besides the training images themselves."""
    views: list[Images] = [MirroredImages(images)] if recipe.mirror else []
    augmentation = Augmentation.parse(recipe.augment)
    if augmentation.distorts and recipe.views:
        views.append(AugmentedImages(images, preprocessing, augmentation, recipe.views, recipe.seed))
    return views


def _examples(
    dataset: Dataset,
    name: str,
    frozen: FrozenBackbone | None,
    recipe: NetworkRecipe,
    preprocessing: Preprocessing,
    cache: Path,
) -> tuple[Dataset, Examples]:
    """Make the examples of a split; returns the data set without the images of it that cannot be read, too."""
    images = dataset.splits[name].images
    if frozen is None:
        pixels = decoded_pixels(images, preprocessing, cache=cache, label=f"decoding {name}", dataset=dataset.name)
        dataset = drop_unreadable(dataset, name, pixels.kept, pixels.skipped)
        return dataset, Examples(pixels.values, dataset.splits[name].labels)
    features = stored_features(frozen, images, cache=cache, label=f"features of {name}", dataset=dataset.name)
    dataset = drop_unreadable(dataset, name, features.kept, features.skipped)
    rows, labels = features.rows, dataset.splits[name].labels
    if name == "train" and (views := extra_views(dataset.splits[name].images, recipe, preprocessing)):
        every = ConcatImages((dataset.splits[name].images, *views))
        rows = stored_features(frozen, every, cache=cache, label="features of the views of train").rows
        labels = np.tile(labels, len(rows) // len(labels))
    fits_in_memory = len(rows) * frozen.width * 4 <= IN_MEMORY_BYTES
    inputs: Rows = rows[:] if fits_in_memory else rows
    return dataset, Examples(inputs, labels)


def _load_weights(weights: StageWeights, network: keras.Model, backbone: Backbone) -> None:
    for layer in network.layers:
        if not isinstance(layer, keras.Model) and layer.weights:
            layer.set_weights(weights.head[layer.name])
    inner = _inner_model(network)
    if inner is not None and backbone.keras_model is None and weights.backbone:
        inner.set_weights(weights.backbone)


def _inner_model(network: keras.Model) -> keras.Model | None:
    return next((layer for layer in network.layers if isinstance(layer, keras.Model)), None)
