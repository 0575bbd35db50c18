"""What lessons about pre-trained networks stand on: Xception where it is here, else a small one that they train."""

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
from tellapart.models.weights import kept_by_keras, kept_here
from tellapart.recipe import Recipe
from tellapart.training.fitting.examples import Examples

if TYPE_CHECKING:
    import keras

    from tellapart.models.features.frozen_backbone import FrozenBackbone
    from tellapart.training.fitting.loop import Loop

PHOTOS = "clothing"
HALF = 5
BASE = ("conv1", "conv2", "dense1")
"""The layers of a small network that are of use for other classes: all but the last two."""


@dataclass(frozen=True)
class Case:
    """A frozen base, what it has learned before, and images of other classes to learn and to judge by."""

    data: str
    base: "FrozenBackbone"
    before: str
    learned: Part
    test: Part


@dataclass(frozen=True)
class Halves:
    """Half of the classes of a data set, `old`, and the other half, numbered anew."""

    name: str
    old: str
    others: str
    known: Part
    new: Part
    test: Part


def case_of(settings: Settings, *, side: int, photos_each: int, few: int) -> Case:
    """Xception, seeing as many clothing photos to learn as to judge by at that size, where both are on this machine.

    Else a small network that has learned half of the classes of another data set, and `few` images of the others.
    """
    from tellapart.models.features.frozen_backbone import FrozenBackbone
    from tellapart.models.networks import backbone_network

    dataset = photos(settings)
    if dataset is None:
        return _own(settings, few)
    base = FrozenBackbone("Xception", backbone_network("xception", side, "imagenet"), Preprocessing(side, side, 3))
    parts = (some_photos(dataset, split, photos_each, side, settings) for split in ("train", "test"))
    return Case("clothing photos", base, "a million photos of a thousand kinds of things", *parts)


def photos(settings: Settings) -> Dataset | None:
    """The clothing photos, `$TELLAPART_DATA/clothing`; None for small work, or where they or the weights are absent."""
    data = os.environ.get("TELLAPART_DATA")
    if settings.small or not data or not (Path(data) / PHOTOS / "train").is_dir():
        return None
    if not (kept_here("xception") or kept_by_keras("xception", top=False)):
        return None
    return Dataset.open(Path(data) / PHOTOS)


def some_photos(dataset: Dataset, split: str, count: int, side: int, settings: Settings) -> Part:
    """So many photos of a split, drawn by the seed, in colour at one size: uint8 (count, side, side, 3)."""
    photos, labels = dataset.splits[split].images, dataset.splits[split].labels
    order = np.random.default_rng(settings.seed).permutation(len(labels))[:count]
    fit = Preprocessing(side, side, 3)
    return Part(np.stack([fit(photos.read(one)) for one in order.tolist()]), labels[order])


def halves(settings: Settings) -> Halves:
    """Divide the classes of Fashion-MNIST, or of the digits, by lot; images of half their size, at random places."""
    data = images("fashion-mnist", settings)
    rng = np.random.default_rng(settings.seed)
    drawn = rng.permutation(len(data.classes))
    old, new = drawn[:HALF], drawn[HALF:]
    part = of_classes(data.train, old).take(slice(4_000))
    again = part.take(np.resize(np.arange(len(part)), settings.of(8_000, small=4_000)))  # each at several places
    others, test = of_classes(data.train, new).take(slice(3_000)), of_classes(data.test, new).take(slice(2_000))
    parts = (scattered(one, rng) for one in (again, others, test))
    return Halves(data.name, named(data.classes, old), named(data.classes, new), *parts)


def scattered(part: Part, rng: np.random.Generator) -> Part:
    """The same images, 14 pixels a side at most, each at a random place of a black square of twice their side."""
    side = min(14, part.images.shape[1])
    canvas = np.zeros((len(part), 2 * side, 2 * side, 1), np.uint8)
    places = rng.integers(0, side + 1, (len(part), 2))
    for one, image, (top, left) in zip(canvas, resized(part, side).images, places, strict=True):
        one[top : top + side, left : left + side] = image
    return Part(canvas, part.labels)


def loop_of(network: "keras.Model", settings: Settings, *, rate: float = 1e-3) -> "Loop":
    """A network of uint8 images to logits, made ready to be trained."""
    from tellapart.training.fitting.loop import Loop

    recipe = Recipe(model="lenet5", schedule="constant", learning_rate=rate, seed=settings.seed)
    return Loop(network, resolve_network(recipe, own_size=None))


def small_network(side: int, settings: Settings) -> "keras.Model":
    """LeNet-5 for half of the classes, its weights drawn by the seed."""
    from tellapart.models.networks import scratch_network
    from tellapart.training.fitting.loop import repeatable

    repeatable(settings.seed)
    return scratch_network(resolve_network(Recipe(model="lenet5", size=side), own_size=None), 1, HALF)


def learn(loop: "Loop", part: Part, count: int) -> None:
    """Train a network on so many images; where there are fewer, on each several times."""
    again = part.take(np.resize(np.arange(len(part)), count))
    loop.epoch(Examples(again.images, again.labels), 0, lambda _: None)


def seen(runner: Runner, x: NDArray[np.uint8]) -> NDArray[np.float32]:
    """What a base or a classifier makes of images: float32 (n, width)."""
    size = runner.batch
    return np.concatenate(list(runner.run(x[start : start + size] for start in range(0, len(x), size))))


def resized(part: Part, side: int) -> Part:
    """The same images at another size in pixels."""
    fit = Preprocessing(side, side, part.images.shape[3])
    return Part(np.stack([fit(one) for one in part.images]), part.labels)


def timed(runner: Runner, x: NDArray[np.uint8], *, turns: int) -> tuple[NDArray[np.float32], float]:
    """What comes out for images, and the seconds that each takes: of several turns the quickest, least disturbed."""
    seen(runner, x[: runner.batch])  # the first batch makes ready
    taken = []
    for _ in range(turns):
        started = time.perf_counter()
        out = seen(runner, x)
        taken.append((time.perf_counter() - started) / len(x))
    return out, min(taken)


def named(classes: tuple[str, ...], some: NDArray[np.integer]) -> str:
    """Some classes in a sentence."""
    return ", ".join(classes[one] for one in sorted(some))


def _own(settings: Settings, few: int) -> Case:
    import keras

    from tellapart.models.features.frozen_backbone import FrozenBackbone

    half = halves(settings)
    side = half.known.images.shape[1]
    loop = loop_of(small_network(side, settings), settings)
    learn(loop, half.known, settings.of(40_000, small=16_000))
    body = keras.Model(loop.network.input, loop.network.get_layer(BASE[-1]).output)
    base = FrozenBackbone("a small network", body, Preprocessing(side, side, 1))
    return Case(half.name, base, f"images of {half.old}", half.new.take(slice(few)), half.test)
