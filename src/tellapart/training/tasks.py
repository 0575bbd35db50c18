"""What there is to train: on a frozen base only its head, from its features; else every layer, from pixels."""

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import keras

from tellapart.data.dataset import ArrayPictures, Dataset, Pictures, Readable
from tellapart.data.pixels import pixels_of
from tellapart.data.preprocessing import Preprocessing
from tellapart.engine import Graph
from tellapart.models.features import FrozenBase, features_of
from tellapart.models.graphs import joined, to_graph
from tellapart.models.networks import base_network, head_network, scratch_network, whole
from tellapart.recipe import Recipe
from tellapart.training.loop import Examples


@dataclass(frozen=True)
class Task:
    """A network to be trained, its examples, and the frozen base that it stands on, if any."""

    network: keras.Model
    preprocessing: Preprocessing
    base: FrozenBase | None
    train: Examples
    validation: Examples | None
    dataset: Dataset
    """Without the pictures that turned out to be unreadable: those are among its `skipped`."""

    def product(self) -> keras.Model:
        """The whole classifier: uint8 pictures to probabilities."""
        return whole(self.base.network if self.base else None, self.network)

    @cached_property
    def head_graph(self) -> Graph:
        """What was trained, as a graph to probabilities: from pictures, or on a frozen base from features."""
        return to_graph(whole(None, self.network))

    @cached_property
    def graph(self) -> Graph:
        """The whole classifier as a graph."""
        return joined(self.base.graph, self.head_graph) if self.base else self.head_graph


def make_task(dataset: Dataset, recipe: Recipe, preprocessing: Preprocessing, *, cache: Path) -> Task:
    """Decode, and run the frozen base where there is one, over the training and validation splits."""
    base = _frozen_base(recipe, preprocessing)
    examples: dict[str, Examples] = {}
    for name in ("train", "validation"):
        if name in dataset.splits:
            inputs = _inputs(base, dataset.splits[name].pictures, preprocessing, cache, name)
            dataset = _without(dataset, name, inputs)
            examples[name] = Examples(inputs.values, dataset.splits[name].labels)
    network = _network(base, recipe, preprocessing, len(dataset.classes))
    return Task(network, preprocessing, base, examples["train"], examples.get("validation"), dataset)


def _inputs(
    base: FrozenBase | None, pictures: Pictures, preprocessing: Preprocessing, cache: Path, name: str
) -> Readable:
    if base:
        return features_of(base, pictures, cache=cache, label=f"features of {name}")
    return pixels_of(pictures, preprocessing, cache=cache, label=f"decoding {name}")


def _network(base: FrozenBase | None, recipe: Recipe, preprocessing: Preprocessing, classes: int) -> keras.Model:
    if base:
        return head_network(base.width, recipe, classes)
    return scratch_network(recipe, preprocessing.channels, classes)


def preprocessing_for(dataset: Dataset, recipe: Recipe) -> Preprocessing:
    """The geometry of a run: small networks take grey pictures where all are grey, all else takes RGB."""
    size = int(recipe.size or 0)
    channels = 3 if recipe.weights != "none" or not _all_grey(dataset) else 1
    return Preprocessing(size, size, channels, recipe.fit)


def _all_grey(dataset: Dataset) -> bool:
    return all(
        isinstance(split.pictures, ArrayPictures) and split.pictures.array.shape[-1] == 1
        for split in dataset.splits.values()
    )


def _frozen_base(recipe: Recipe, preprocessing: Preprocessing) -> FrozenBase | None:
    if recipe.weights == "none":
        return None
    network = base_network(recipe.model, int(recipe.size or 0), str(recipe.weights))
    return FrozenBase(recipe.model, network, preprocessing, recipe.precision)


def _without(dataset: Dataset, name: str, found: Readable) -> Dataset:
    """Drop the pictures that could not be read from a split, and list them."""
    if not found.skipped:
        return dataset
    kept = dataset.splits[name].take(found.kept)
    return replace(dataset, splits={**dataset.splits, name: kept}, skipped=(*dataset.skipped, *found.skipped))
