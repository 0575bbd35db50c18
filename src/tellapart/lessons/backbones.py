"""Backbones for lessons on pre-trained networks: Xception where it is available, else a small network trained here."""

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tellapart.data.dataset import Dataset
from tellapart.data.pipeline import Runner
from tellapart.data.preprocessing import Preprocessing
from tellapart.lessons.images import Part, images, of_classes
from tellapart.lessons.lesson import Settings
from tellapart.models.resolved_recipe import resolve_network
from tellapart.models.weights import keras_download, local_weights
from tellapart.recipe import Recipe
from tellapart.training.fitting.examples import Examples

if TYPE_CHECKING:
    import keras

    from tellapart.models.features.frozen_backbone import FrozenBackbone
    from tellapart.training.fitting.loop import Loop

PHOTOS = "clothing"
HALF = 5
BACKBONE_LAYERS = ("conv1", "conv2", "dense1")
"""The layers of the small network that transfer to other classes: all but the last two."""


@dataclass(frozen=True)
class Case:
    """A frozen backbone, a description of its training, and images of other classes to train and test with."""

    data: str
    backbone: "FrozenBackbone"
    before: str
    learned: Part
    test: Part


@dataclass(frozen=True)
class Halves:
    """Half of the classes of a data set, `old`, and the other half, renumbered."""

    name: str
    old: str
    others: str
    known: Part
    new: Part
    test: Part


def case_of(settings: Settings, *, side: int, photos_each: int, few: int) -> Case:
    """Return Xception with equally many training and test photos of clothing, where both are on this machine.

    Otherwise return a small network trained on half of the classes of another data set, and `few` images of the
    other half.
    """
    from tellapart.models.features.frozen_backbone import FrozenBackbone
    from tellapart.models.networks import backbone_network

    dataset = photos(settings)
    if dataset is None:
        return _own(settings, few)
    backbone = FrozenBackbone("Xception", backbone_network("xception", side, "imagenet"), Preprocessing(side, side, 3))
    parts = (some_photos(dataset, split, photos_each, side, settings) for split in ("train", "test"))
    return Case("clothing photos", backbone, "a million photos of a thousand kinds of things", *parts)


def photos(settings: Settings) -> Dataset | None:
    """Open the clothing photos, `$TELLAPART_DATA/clothing`; None for small experiments or without photos or weights."""
    data = os.environ.get("TELLAPART_DATA")
    if settings.small or not data or not (Path(data) / PHOTOS / "train").is_dir():
        return None
    if not (local_weights("xception") or keras_download("xception", top=False)):
        return None
    return Dataset.open(Path(data) / PHOTOS)


def some_photos(dataset: Dataset, split: str, count: int, side: int, settings: Settings) -> Part:
    """Sample `count` photos of a split by the seed, in colour at one size: uint8 (count, side, side, 3)."""
    photos, labels = dataset.splits[split].images, dataset.splits[split].labels
    order = np.random.default_rng(settings.seed).permutation(len(labels))[:count]
    fit = Preprocessing(side, side, 3)
    return Part(np.stack([fit(photos.read(index)) for index in order.tolist()]), labels[order])


def halves(settings: Settings) -> Halves:
    """Divide the classes of Fashion-MNIST, or of digits, at random; shrink images and put them at random positions."""
    data = images("fashion-mnist", settings)
    rng = np.random.default_rng(settings.seed)
    drawn = rng.permutation(len(data.classes))
    old, new = drawn[:HALF], drawn[HALF:]
    part = of_classes(data.train, old).take(slice(4_000))
    again = part.take(np.resize(np.arange(len(part)), settings.of(8_000, small=4_000)))  # each at several positions
    others, test = of_classes(data.train, new).take(slice(3_000)), of_classes(data.test, new).take(slice(2_000))
    parts = (scattered(part, rng) for part in (again, others, test))
    return Halves(data.name, joined_names(data.classes, old), joined_names(data.classes, new), *parts)


def scattered(part: Part, rng: np.random.Generator) -> Part:
    """Shrink images to at most 14 pixels a side and put each at a random position in a black square twice as wide."""
    side = min(14, part.images.shape[1])
    canvas = np.zeros((len(part), 2 * side, 2 * side, 1), np.uint8)
    places = rng.integers(0, side + 1, (len(part), 2))
    for square, image, (top, left) in zip(canvas, resized(part, side).images, places, strict=True):
        square[top : top + side, left : left + side] = image
    return Part(canvas, part.labels)


def loop_of(network: "keras.Model", settings: Settings, *, rate: float = 1e-3) -> "Loop":
    """Prepare a network from uint8 images to logits for training."""
    from tellapart.training.fitting.loop import Loop

    recipe = Recipe(model="lenet5", schedule="constant", learning_rate=rate, seed=settings.seed)
    return Loop(network, resolve_network(recipe, own_size=None))


def small_network(side: int, settings: Settings) -> "keras.Model":
    """Build LeNet-5 for half of the classes, with weights drawn by the seed."""
    from tellapart.models.networks import scratch_network
    from tellapart.training.fitting.loop import seed_everything

    seed_everything(settings.seed)
    return scratch_network(resolve_network(Recipe(model="lenet5", size=side), own_size=None), 1, HALF)


def learn(loop: "Loop", part: Part, count: int) -> None:
    """Train a network on `count` images, repeating them where there are fewer."""
    again = part.take(np.resize(np.arange(len(part)), count))
    loop.epoch(Examples(again.images, again.labels), 0, lambda _: None)


def outputs(runner: Runner, x: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Run a backbone or a classifier over images: float32 (n, width)."""
    size = runner.batch
    return np.concatenate(list(runner.run(x[start : start + size] for start in range(0, len(x), size))))


def resized(part: Part, side: int) -> Part:
    """Resize images to `side` pixels."""
    fit = Preprocessing(side, side, part.images.shape[3])
    return Part(np.stack([fit(image) for image in part.images]), part.labels)


def timed(runner: Runner, x: NDArray[np.uint8], *, repeats: int) -> tuple[NDArray[np.float32], float]:
    """Return the outputs for images, and the seconds per image of the fastest repeat."""
    outputs(runner, x[: runner.batch])  # warm up
    taken = []
    for _ in range(repeats):
        started = time.perf_counter()
        out = outputs(runner, x)
        taken.append((time.perf_counter() - started) / len(x))
    return out, min(taken)


def joined_names(classes: tuple[str, ...], labels: NDArray[np.integer]) -> str:
    """Join the names of some classes."""
    return ", ".join(classes[label] for label in sorted(labels))


def _own(settings: Settings, few: int) -> Case:
    import keras

    from tellapart.models.features.frozen_backbone import FrozenBackbone

    half = halves(settings)
    side = half.known.images.shape[1]
    loop = loop_of(small_network(side, settings), settings)
    learn(loop, half.known, settings.of(40_000, small=16_000))
    body = keras.Model(loop.network.input, loop.network.get_layer(BACKBONE_LAYERS[-1]).output)
    backbone = FrozenBackbone("a small network", body, Preprocessing(side, side, 1))
    return Case(half.name, backbone, f"images of {half.old}", half.new.take(slice(few)), half.test)
