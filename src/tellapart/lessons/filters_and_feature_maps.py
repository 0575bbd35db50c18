"""What do the filters of a convolutional network look for? Small patterns, which it needs more or less.

Sources: LeCun et al., Gradient-based learning applied to document recognition (1998), for the network; Saxe et al., On
random weights and unsupervised feature learning (2011), for filters that nobody trained; Morcos et al., On the
importance of single directions for generalization (2018), for silencing one after another.
"""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tellapart import Recipe, train
from tellapart.bundles.keras_network import load_network
from tellapart.explaining.layers import feature_maps, first_filters
from tellapart.lessons.drawing import PERCENT, bars, drawing, lines, square, tiles
from tellapart.lessons.images import as_dataset, images
from tellapart.lessons.lesson import Claim, Findings, Lesson, Settings

if TYPE_CHECKING:
    import keras

ARROWS = "→↗↑↖←↙↓↘"  # towards the light side of an edge

Floats = NDArray[np.floating]
Grey = NDArray[np.uint8]
"""uint8 (n, height, width, 1)."""


def run(settings: Settings) -> Findings:
    """Train LeNet-5, work out its first maps by hand, show its filters edges, and silence them one by one."""
    data = images("mnist", settings)
    learned, test = data.train.take(slice(settings.of(5_000, small=800))), data.test.take(slice(2_000))
    held = len(learned) // 6
    dataset = as_dataset(data.name, data.classes, train=learned.take(slice(held, None)),
                         validation=learned.take(slice(held)))  # fmt: skip
    recipe = Recipe(model="lenet5", size=16 if settings.small else None, epochs=settings.of(8, small=10),
                    learning_rate=3e-3, seed=settings.seed)  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        bundle = train(dataset, recipe, out=Path(folder) / "run").bundle
        network, filters = load_network(bundle), first_filters(bundle)
        new = np.stack([bundle.preprocessing(one) for one in test.images])
        maps = feature_maps(bundle, new[0], layers=1)[0].images
    kernel, added = network.get_layer("conv1").get_weights()  # (5, 5, 1, filters) and (filters,)
    count, side = len(filters), new.shape[1]

    given = first_maps(network, new[:50])
    off, turned = (np.abs(by_hand(new[:50], one, added) - given).max() for one in (kernel, kernel[::-1, ::-1]))
    import keras  # brought in by the training

    keras.utils.set_random_seed(settings.seed)
    untrained = keras.models.clone_model(network)  # with weights drawn by lot
    trained, by_lot = to_edges(network, side), to_edges(untrained, side)
    right = accuracy(network, new, test.labels, [])
    without = [accuracy(network, new, test.labels, [number]) for number in range(count)]
    results = {
        "data": data.name,
        "n": len(learned),
        "test": len(test),
        "filters": count,
        "off": float(off),
        "turned": float(turned),
        "liked": len(set(trained.argmax(axis=0).tolist())),
        "weakest": float(np.mean(trained.min(axis=0) / trained.max(axis=0))),
        "lot_liked": len(set(by_lot.argmax(axis=0).tolist())),
        "lot_weakest": float(np.mean(by_lot.min(axis=0) / by_lot.max(axis=0))),
        "right": right,
        "dearest": min(without),
        "cheapest": max(without),
        "none": accuracy(network, new, test.labels, list(range(count))),
    }
    names = [f"filter {number + 1}" for number in range(count)]
    large = np.stack(filters).repeat(side // len(kernel), axis=1).repeat(side // len(kernel), axis=2)
    room = (0, side - large.shape[1])
    pairs = np.concatenate([np.pad(large, ((0, 0), room, room, (0, 0)), constant_values=255), np.stack(maps)])
    figures = (
        drawing(
            "The filters of the first layer, and below each what it makes of one image",
            "Grey is a weight of 0, white is more and black less. A map is white where the filter answers most.",
            square(f"{count} filters, {count} views of an image", tiles(pairs[..., 0], count), height=200),
        ),
        drawing(
            "How strongly each filter answers to an edge, by its direction",
            "The arrow points to the light side of the edge. A line with one hill is a filter for one direction.",
            lines(f"{results['liked']} directions are liked best by a filter",
                  ("towards the light", range(len(ARROWS))), "answer", dict(zip(names, trained.T, strict=True)),
                  across={"tickvals": list(range(len(ARROWS))), "ticktext": list(ARROWS)}, rangemode="tozero"),
        ),
        drawing(
            "What is told right without one filter",
            "Accuracy while the filter answers nothing. Some are needed, and some can be spared.",
            bars(f"with all of them {right:.1%}", "accuracy", names, {"accuracy": without}, form=".1%", range=[0, 1],
                 **PERCENT),
        ),
    )  # fmt: skip
    return Findings(results, figures)


def by_hand(images: Grey, kernel: Floats, added: Floats) -> Floats:
    """At each place the sum of products of filter and pixels, one number added, and nothing below 0."""
    around = (len(kernel) // 2,) * 2
    padded = np.pad(images[..., 0] / np.float32(255), ((0, 0), around, around))
    patches = np.lib.stride_tricks.sliding_window_view(padded, kernel.shape[:2], axis=(1, 2))
    maps: Floats = np.maximum(np.einsum("nhwij,ijf->nhwf", patches, kernel[:, :, 0]) + added, 0)
    return maps


def first_maps(network: "keras.Model", images: Grey) -> Floats:
    """What the first layer of filters makes of images, float32 (n, height, width, filters)."""
    import keras

    return np.asarray(keras.Model(network.input, network.get_layer("conv1").output)(images, training=False))


def to_edges(network: "keras.Model", side: int) -> Floats:
    """How strongly each filter answers to edges through the middle of an image: float32 (directions, filters)."""
    turns = 2 * np.pi * np.arange(len(ARROWS)) / len(ARROWS)
    down, across = np.indices((side, side)) - (side - 1) / 2
    light = [across * np.cos(turn) - down * np.sin(turn) > 0 for turn in turns]
    maps = first_maps(network, 255 * np.stack(light).astype(np.uint8)[..., np.newaxis])
    middle = slice(side // 2 - 3, side // 2 + 3)  # where the edge is, and not the image's rim
    strongest: Floats = maps[:, middle, middle].max(axis=(1, 2))
    return strongest


def accuracy(network: "keras.Model", new: Grey, labels: NDArray[np.integer], silent: list[int]) -> float:
    """How many images are told right while some filters of the first layer answer nothing."""
    layer = network.get_layer("conv1")
    kernel, added = weights = layer.get_weights()
    keep = ~np.isin(np.arange(len(added)), silent)
    layer.set_weights([kernel * keep, added * keep])
    answers = np.asarray(network(new, training=False)).argmax(axis=1)
    layer.set_weights(weights)
    return float(np.mean(answers == labels))


LESSON = Lesson(
    name="filters-and-feature-maps",
    question="What do the filters of a convolutional network look for?",
    needs="mnist",
    seconds=6,
    run=run,
    method="""
        LeNet-5, a small network whose first [convolution] has {filters} [filters|filter], learns {n:,} images of
        {data}. We work out its first [feature maps|feature map] by hand: at each place filter and [pixels|pixel] are
        multiplied and added up, one more number is added, and what is below 0 becomes 0. Then we show the filters
        edges of all directions, and do so with a copy of the network whose weights were drawn by lot. Last, we
        silence one filter after another, its weights set to 0, and judge the network on {test:,} new images.""",
    outcome="""
        By hand we get the network's maps, within {off:.1g}. A mathematician would turn each filter by half a circle
        first: then they are off by {turned:.2f}. What networks call convolution lays filters on as they are.

        The filters like unlike edges: {liked} directions are liked best by one of them. To the direction that it
        likes least a filter gives {weakest:.0%} of its best answer, on average. But that is not yet learned: filters
        drawn by lot, before any training, like {lot_liked} directions best, and give the worst {lot_weakest:.0%}.
        What training makes of them is filters that the layers above can use.

        Of all new images {right:.1%} are told right. Without the dearest filter {dearest:.1%} are, without the
        cheapest {cheapest:.1%}. Without any, {none:.1%} are left, which is guessing.""",
    claims=(
        Claim("The first maps, worked out by hand, are the network's within {off:.1g}; with filters turned round they "
              "are off by {turned:.2f}.", lambda results: results["off"] < 1e-4 and results["turned"] > 0.1),
        Claim("Filters like unlike edges, in {liked} directions, and filters drawn by lot do too, in "
              "{lot_liked}.",
              lambda results: min(results["liked"], results["lot_liked"]) > 1
              and max(results["weakest"], results["lot_weakest"]) < 0.8),
        Claim("Unlike in worth: of {right:.1%}, one less leaves {dearest:.1%} to {cheapest:.1%}, none {none:.1%}.",
              lambda results: results["right"] - results["dearest"]
              > max(0.04, 2 * (results["right"] - results["cheapest"]))
              and results["none"] < 0.2),
    ),
    conclusion="""
        A filter is a small pattern that is looked for everywhere, and its map says where it was found. Some are needed
        and some can be spared, which is why trained networks can be made smaller. `tellapart explain` draws a bundle's
        filters with the method `filters`, and what each layer makes of an image with `layers`.""",
    try_next="""
        Put a filter's mean answer in its place instead of 0. Does losing it cost less, and what does that say of what
        the later layers expect?""",
)  # fmt: skip
