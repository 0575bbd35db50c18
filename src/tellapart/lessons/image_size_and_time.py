"""Lesson: arithmetic grows with the square of the image size, while accuracy grows less and less."""

from dataclasses import astuple, dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from tellapart.backend import load_keras
from tellapart.data.pipeline import BATCH
from tellapart.engine import Engine, Graph
from tellapart.lessons.backbones import learn, loop_of, outputs, photos, resized, some_photos, timed
from tellapart.lessons.drawing import PERCENT, drawing, lines
from tellapart.lessons.images import Part, images
from tellapart.lessons.lesson import Claim, Findings, Lesson, Settings
from tellapart.reports.report import Table

if TYPE_CHECKING:
    import keras

PHOTO_SIDES = (75, 106, 150, 212)  # each doubles the area


@dataclass(frozen=True)
class Size:
    """The result at one image size: multiply-adds and seconds per image, and the test accuracy."""

    side: int
    multiply_adds: int
    seconds: float
    accuracy: float


def run(settings: Settings) -> Findings:
    """Train and evaluate the same kind of network on the same images at several sizes."""
    load_keras()
    from tellapart.models.graphs.convert import to_graph
    from tellapart.models.networks import backbone_network

    dataset = photos(settings)
    if dataset:
        own = PHOTO_SIDES[-1]
        learned, test = (some_photos(dataset, split, 300, own, settings) for split in ("train", "test"))
        data, kind, sides = "clothing photos", "a linear head on a frozen Xception", PHOTO_SIDES
        graph = to_graph(backbone_network("xception", own, "imagenet"))
        sizes = [by_xception(graph, resized(learned, side), resized(test, side)) for side in sides]
    else:
        small = images("fashion-mnist", settings)
        own = small.train.images.shape[1]
        learned, test = small.train.take(slice(3_000)), small.test.take(slice(3_000))
        data, kind, sides = small.name, "two convolutions and a dense layer", (own // 4, own // 2, own, 2 * own)
        sizes = [from_scratch(resized(learned, side), resized(test, side), settings) for side in sides]

    side, arithmetic, seconds, accuracy = np.array([astuple(size) for size in sizes]).T
    results = {
        "data": data,
        "kind": kind,
        "n": len(learned),
        "test": len(test),
        "original": own,
        "sizes": ", ".join(map(str, sides)),
        **dict(zip(("smallest", "second", "last", "largest"), (*sides[:2], *sides[-2:]), strict=True)),
        "arithmetic": for_twice_the_side(side, arithmetic),
        "time": for_twice_the_side(side, seconds),
        "more_arithmetic": arithmetic[-1] / arithmetic[0],
        "more_time": seconds[-1] / seconds[0],
        "smallest_accuracy": accuracy[0],
        "largest_accuracy": accuracy[-1],
        "first_gain": accuracy[1] - accuracy[0],
        "last_gain": accuracy[-1] - accuracy[-2],
        "first_price": seconds[1] / seconds[0],
        "last_price": seconds[-1] / seconds[-2],
    }
    across = {"type": "log", "tickvals": sides}
    figures = (
        drawing(
            "Accuracy by image size",
            "The same images with more and more pixels: where the line is flat, more pixels add no information.",
            lines(f"{accuracy[0]:.1%} at {sides[0]} pixels, {accuracy[-1]:.1%} at {sides[-1]}",
                  ("pixels per side", sides), "accuracy", {"accuracy": accuracy}, across=across, **PERCENT),
        ),
        drawing(
            "The cost of an image, relative to the smallest size",
            "Both axes are logarithmic: the steeper a line, the faster the cost grows with the size of the image.",
            lines(f"doubled side: {results['arithmetic']:.1f}x the arithmetic, {results['time']:.1f}x the time",
                  ("pixels per side", sides), "times the smallest",
                  {"arithmetic": arithmetic / arithmetic[0], "time": seconds / seconds[0],
                   "square of the side": (side / side[0]) ** 2}, across=across, type="log", tickvals=2 ** np.arange(7)),
        ),
    )  # fmt: skip
    header = ("pixels per side", "million multiply-adds", "ms per image", "accuracy")
    rows = tuple((f"{size.side}", f"{size.multiply_adds / 1e6:,.2f}", f"{1000 * size.seconds:.3f}",
                  f"{size.accuracy:.1%}") for size in sizes)  # fmt: skip
    return Findings(results, figures, {"Each size": Table(header, rows)})


def by_xception(graph: Graph, learned: Part, test: Part) -> Size:
    """Train and evaluate a linear head on Xception's features of images of this size."""
    from tellapart.models.networks import backbone_network
    from tellapart.models.summary import summarise

    side = learned.images.shape[1]
    sized = graph.clone()
    sized.reshape([-1, side, side, 3])
    engine = Engine(sized, batch=BATCH)
    head = LogisticRegression(C=0.1, max_iter=2_000).fit(outputs(engine, learned.images), learned.labels)
    features, seconds = timed(engine, test.images, repeats=1)
    multiply_adds = summarise(backbone_network("xception", side, "none")).multiply_adds
    return Size(side, multiply_adds, seconds, head.score(features, test.labels))


def from_scratch(learned: Part, test: Part, settings: Settings) -> Size:
    """Train and evaluate a small network on images of this size."""
    from tellapart.models.graphs.convert import to_graph
    from tellapart.models.summary import summarise
    from tellapart.training.fitting.loop import seed_everything

    seed_everything(settings.seed)
    network = network_of(learned.images.shape[1], len(np.unique(learned.labels)))
    learn(loop_of(network, settings, rate=3e-3), learned, settings.of(20_000, small=5_000))
    logits, seconds = timed(Engine(to_graph(network), batch=64), test.images, repeats=5)
    accuracy = float(np.mean(logits.argmax(axis=1) == test.labels))
    return Size(learned.images.shape[1], summarise(network).multiply_adds, seconds, accuracy)


def network_of(side: int, classes: int) -> "keras.Model":
    """Build a network from grey images, uint8 (n, side, side, 1), to logits."""
    from keras import Input, Model, layers

    inputs = Input((side, side, 1), dtype="uint8")
    x = layers.Rescaling(1 / 255)(inputs)
    x = layers.Conv2D(16, 3, padding="same", activation="relu")(x)
    x = layers.Conv2D(64, 3, padding="same", activation="relu", strides=2)(x)
    return Model(inputs, layers.Dense(classes)(layers.Flatten()(x)))


def for_twice_the_side(side: NDArray[np.floating], cost: NDArray[np.floating]) -> float:
    """Return the factor by which a cost grows when the side doubles, from a line fitted to the logarithms."""
    return float(2 ** np.polyfit(np.log(side), np.log(cost), 1)[0])


LESSON = Lesson(
    name="image-size-and-time",
    question="How large must an image be?",
    needs="clothing",
    seconds=29,
    run=run,
    method="""
        The same images of {data} are resized to several sizes, {sizes} pixels a side; {original} is their original
        size or the largest that we use. At each size the same kind of network, {kind}, is trained on {n:,} of them and
        evaluated on {test:,} others. We count its [multiply-adds|multiply-add] for one image and measure its time on
        this machine.""",
    outcome="""
        Doubling the side takes {arithmetic:.1f} times the arithmetic, about four, since there are twice as many rows
        and twice as many columns of [pixels|pixel], and {time:.1f} times the time. From {smallest} to {largest} pixels
        that is {more_arithmetic:.0f} times the arithmetic and {more_time:.1f} times the time.

        The [accuracy] changes from {smallest_accuracy:.1%} to {largest_accuracy:.1%}, but not evenly: from {smallest}
        to {second} pixels it changes by {first_gain:+.1p} for {first_price:.1f} times the time, from {last} to
        {largest} by {last_gain:+.1p} for {last_price:.1f} times the time.""",
    claims=(
        Claim("Arithmetic grows with the square: {arithmetic:.1f} times for twice the side.",
              lambda results: 3.5 < results["arithmetic"] < 4.8),
        Claim("Time grows too: {more_time:.1f} times from the smallest size to the largest.",
              lambda results: results["more_time"] > 1.5),
        Claim("Larger images help at first: {first_gain:+.1p} from {smallest} to {second} pixels.",
              lambda results: results["first_gain"] > 0.02),
        Claim("Later they help less: {last_gain:+.1p} from {last} to {largest} pixels.",
              lambda results: results["last_gain"] < results["first_gain"]),
    ),
    conclusion="""
        Choose the smallest size at which images still show what distinguishes the classes, and search upwards, because
        small sizes are cheap to try. Enlarging images beyond their original size adds cost but no information.
        `tellapart summary xception --size 150` forecasts the cost of a size on this machine, and `tellapart train
        PHOTOS --size 150` tries it.""",
    try_next="""
        Train a head at one size and evaluate it on images of another. Is it better on larger or on smaller images?""",
)  # fmt: skip
