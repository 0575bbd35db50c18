"""How large must an image be? Arithmetic grows with the square of its side; what there is to see does not."""

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

PHOTO_SIDES = (75, 106, 150, 212)  # each time twice the area


@dataclass(frozen=True)
class Size:
    """What became of images of one size: multiply-adds and seconds for each, and the share told right."""

    side: int
    multiply_adds: int
    seconds: float
    accuracy: float


def run(settings: Settings) -> Findings:
    """Let the same kind of network see the same images at several sizes."""
    load_keras()
    from tellapart.models.graphs.convert import to_graph
    from tellapart.models.networks import backbone_network

    found = photos(settings)
    if found:
        own = PHOTO_SIDES[-1]
        learned, test = (some_photos(found, split, 300, own, settings) for split in ("train", "test"))
        data, kind, sides = "clothing photos", "Xception, frozen, below a linear head", PHOTO_SIDES
        graph = to_graph(backbone_network("xception", own, "imagenet"))
        sizes = [by_xception(graph, resized(learned, side), resized(test, side)) for side in sides]
    else:
        small = images("fashion-mnist", settings)
        own = small.train.images.shape[1]
        learned, test = small.train.take(slice(3_000)), small.test.take(slice(3_000))
        data, kind, sides = small.name, "two convolutions and a dense layer", (own // 4, own // 2, own, 2 * own)
        sizes = [from_scratch(resized(learned, side), resized(test, side), settings) for side in sides]

    side, arithmetic, seconds, accuracy = np.array([astuple(one) for one in sizes]).T
    results = {
        "data": data,
        "kind": kind,
        "n": len(learned),
        "test": len(test),
        "own": own,
        "sizes": ", ".join(map(str, sides)),
        **dict(zip(("smallest", "second", "last", "largest"), (*sides[:2], *sides[-2:]), strict=True)),
        "arithmetic": for_twice_the_side(side, arithmetic),
        "time": for_twice_the_side(side, seconds),
        "more_arithmetic": arithmetic[-1] / arithmetic[0],
        "more_time": seconds[-1] / seconds[0],
        "worst": accuracy[0],
        "final": accuracy[-1],
        "first_gain": accuracy[1] - accuracy[0],
        "last_gain": accuracy[-1] - accuracy[-2],
        "first_price": seconds[1] / seconds[0],
        "last_price": seconds[-1] / seconds[-2],
    }
    across = {"type": "log", "tickvals": sides}
    figures = (
        drawing(
            "Accuracy against the size of the images",
            "To the right the same images have more pixels: where the line no longer climbs, these say no more.",
            lines(f"{results['worst']:.1%} at {sides[0]} pixels, {results['final']:.1%} at {sides[-1]}",
                  ("side of an image in pixels", sides), "accuracy", {"accuracy": accuracy}, across=across, **PERCENT),
        ),
        drawing(
            "What an image costs, against one of the smallest size",
            "Both axes grow by factors: the steeper a line, the faster a cost grows with the side of the image.",
            lines(f"doubled side: {results['arithmetic']:.1f}x the arithmetic, {results['time']:.1f}x the time",
                  ("side of an image in pixels", sides), "times the smallest",
                  {"arithmetic": arithmetic / arithmetic[0], "time": seconds / seconds[0],
                   "square of the side": (side / side[0]) ** 2}, across=across, type="log", tickvals=2 ** np.arange(7)),
        ),
    )  # fmt: skip
    header = ("pixels a side", "million multiply-adds", "ms for an image", "accuracy")
    rows = ((one.side, one.multiply_adds / 1e6, 1000 * one.seconds, 100 * one.accuracy) for one in sizes)
    told = tuple((f"{a}", f"{b:,.2f}", f"{c:.3f}", f"{d:.1f} %") for a, b, c, d in rows)
    return Findings(results, figures, {"Each size": Table(header, told)})


def by_xception(graph: Graph, learned: Part, test: Part) -> Size:
    """A linear head on what Xception makes of images of this size."""
    from tellapart.models.networks import backbone_network
    from tellapart.models.summary import summarise

    side = learned.images.shape[1]
    sized = graph.clone()
    sized.reshape([-1, side, side, 3])
    engine = Engine(sized, batch=BATCH)
    head = LogisticRegression(C=0.1, max_iter=2_000).fit(outputs(engine, learned.images), learned.labels)
    held, seconds = timed(engine, test.images, repeats=1)
    counted = summarise(backbone_network("xception", side, "none")).multiply_adds
    return Size(side, counted, seconds, head.score(held, test.labels))


def from_scratch(learned: Part, test: Part, settings: Settings) -> Size:
    """A small network that learns images of this size."""
    from tellapart.models.graphs.convert import to_graph
    from tellapart.models.summary import summarise
    from tellapart.training.fitting.loop import repeatable

    repeatable(settings.seed)
    network = network_of(learned.images.shape[1], len(np.unique(learned.labels)))
    learn(loop_of(network, settings, rate=3e-3), learned, settings.of(20_000, small=5_000))
    logits, seconds = timed(Engine(to_graph(network), batch=64), test.images, repeats=5)
    right = float(np.mean(logits.argmax(axis=1) == test.labels))
    return Size(learned.images.shape[1], summarise(network).multiply_adds, seconds, right)


def network_of(side: int, classes: int) -> "keras.Model":
    """Grey images, uint8 (n, side, side, 1), to logits."""
    from keras import Input, Model, layers

    inputs = Input((side, side, 1), dtype="uint8")
    x = layers.Rescaling(1 / 255)(inputs)
    x = layers.Conv2D(16, 3, padding="same", activation="relu")(x)
    x = layers.Conv2D(64, 3, padding="same", activation="relu", strides=2)(x)
    return Model(inputs, layers.Dense(classes)(layers.Flatten()(x)))


def for_twice_the_side(side: NDArray[np.floating], cost: NDArray[np.floating]) -> float:
    """The factor by which a cost grows when the side doubles: 2 to the slope of the straightest line through logs."""
    return float(2 ** np.polyfit(np.log(side), np.log(cost), 1)[0])


LESSON = Lesson(
    name="image-size-and-time",
    question="How large must an image be?",
    needs="clothing",
    seconds=29,
    run=run,
    method="""
        The same images of {data} are brought to several sizes, {sizes} pixels a side, of which {own} is their own
        or the largest that we take. At each size the same kind of network, {kind}, learns {n:,} of them and is judged
        on {test:,} others. We count its [multiply-adds|multiply-add] for one image and measure its time on this
        machine.""",
    outcome="""
        Twice the side takes {arithmetic:.1f} times the arithmetic, about four, since there are twice as many rows and
        twice the columns of [pixels|pixel] to go over, and {time:.1f} times the time. From {smallest} to {largest}
        pixels that is {more_arithmetic:.0f} times the arithmetic and {more_time:.1f} times the time.

        Accuracy goes from {worst:.1%} to {final:.1%}, and not evenly: from {smallest} to {second} pixels it changes
        by {first_gain:+.1%} for {first_price:.1f} times the time, from {last} to {largest} by {last_gain:+.1%} for
        {last_price:.1f} times.""",
    claims=(
        Claim("Arithmetic grows with the square: {arithmetic:.1f} times for twice the side.",
              lambda results: 3.5 < results["arithmetic"] < 4.8),
        Claim("Time grows as well: {more_time:.1f} times from the smallest size to the largest.",
              lambda results: results["more_time"] > 1.5),
        Claim("Larger is better at first: {first_gain:+.1%} from {smallest} to {second} pixels.",
              lambda results: results["first_gain"] > 0.02),
        Claim("In the end it brings less: {last_gain:+.1%} from {last} to {largest} pixels.",
              lambda results: results["last_gain"] < results["first_gain"]),
    ),
    conclusion="""
        Choose the smallest size at which images still show what tells them apart, and look for it from below, where
        tries are cheap. What was never photographed cannot be added: beyond their own size images only cost more.
        `tellapart summary xception --size 150` says beforehand what a size costs on this machine, and `tellapart train
        PHOTOS --size 150` tries it.""",
    try_next="""
        Train a head at one size and judge it on images of another. Does a network that never saw large images
        tell them better than small ones?""",
)  # fmt: skip
