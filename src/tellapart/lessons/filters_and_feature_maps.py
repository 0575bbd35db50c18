"""Lesson: the filters of a convolutional network detect small patterns, and some matter more than others.

Sources: LeCun et al., Gradient-based learning applied to document recognition (1998), for the network; Saxe et al., On
random weights and unsupervised feature learning (2011), for untrained filters; Morcos et al., On the
importance of single directions for generalization (2018), for removing filters one at a time.
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

ARROWS = "→↗↑↖←↙↓↘"  # towards the bright side of an edge

Floats = NDArray[np.floating]
Grey = NDArray[np.uint8]
"""uint8 (n, height, width, 1)."""


def run(settings: Settings) -> Findings:
    """Train LeNet-5, compute its first maps by hand, apply its filters to edges, and remove them one at a time."""
    data = images("mnist", settings)
    learned, test = data.train.take(slice(settings.of(5_000, small=800))), data.test.take(slice(2_000))
    n_validation = len(learned) // 6
    dataset = as_dataset(data.name, data.classes, train=learned.take(slice(n_validation, None)),
                         validation=learned.take(slice(n_validation)))  # fmt: skip
    recipe = Recipe(model="lenet5", size=16 if settings.small else None, epochs=settings.of(8, small=10),
                    learning_rate=3e-3, seed=settings.seed)  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        bundle = train(dataset, recipe, out=Path(folder) / "run").bundle
        network, filters = load_network(bundle), first_filters(bundle)
        inputs = np.stack([bundle.preprocessing(image) for image in test.images])
        maps = feature_maps(bundle, inputs[0], layers=1)[0].images
    kernel, bias = network.get_layer("conv1").get_weights()  # (5, 5, 1, filters) and (filters,)
    count, side = len(filters), inputs.shape[1]

    actual = first_maps(network, inputs[:50])
    errors = [np.abs(by_hand(inputs[:50], weights, bias) - actual).max() for weights in (kernel, kernel[::-1, ::-1])]
    import keras  # already loaded by the training

    keras.utils.set_random_seed(settings.seed)
    untrained = keras.models.clone_model(network)  # with random weights
    trained, random = edge_responses(network, side), edge_responses(untrained, side)
    full = accuracy(network, inputs, test.labels, [])
    without = [accuracy(network, inputs, test.labels, [number]) for number in range(count)]
    results = {
        "data": data.name,
        "n": len(learned),
        "test": len(test),
        "filters": count,
        "difference": float(errors[0]),
        "rotated_difference": float(errors[1]),
        "directions": len(set(trained.argmax(axis=0).tolist())),
        "weakest": float(np.mean(trained.min(axis=0) / trained.max(axis=0))),
        "random_directions": len(set(random.argmax(axis=0).tolist())),
        "random_weakest": float(np.mean(random.min(axis=0) / random.max(axis=0))),
        "accuracy": full,
        "worst_without": min(without),
        "best_without": max(without),
        "none": accuracy(network, inputs, test.labels, list(range(count))),
    }
    names = [f"filter {number + 1}" for number in range(count)]
    large = np.stack(filters).repeat(side // len(kernel), axis=1).repeat(side // len(kernel), axis=2)
    margin = (0, side - large.shape[1])
    pairs = np.concatenate([np.pad(large, ((0, 0), margin, margin, (0, 0)), constant_values=255), np.stack(maps)])
    figures = (
        drawing(
            "The filters of the first layer, and below each its feature map of one image",
            "Grey is a weight of 0, white is positive and black negative. A map is white where its filter responds.",
            square(f"{count} filters and their feature maps", tiles(pairs[..., 0], count), height=200),
        ),
        drawing(
            "The response of each filter to edges of all directions",
            "The arrow points to the bright side of the edge. A line with one peak is a filter for one direction.",
            lines(f"strongest responses in {results['directions']} directions",
                  ("bright side of the edge", range(len(ARROWS))), "response", dict(zip(names, trained.T, strict=True)),
                  across={"tickvals": list(range(len(ARROWS))), "ticktext": list(ARROWS)}, rangemode="tozero"),
        ),
        drawing(
            "Accuracy without one filter",
            "The accuracy while the output of the filter is 0. Some filters are needed, others are redundant.",
            bars(f"with all filters {full:.1%}", "accuracy", names, {"accuracy": without}, form=".1%", range=[0, 1],
                 **PERCENT),
        ),
    )  # fmt: skip
    return Findings(results, figures)


def by_hand(images: Grey, kernel: Floats, bias: Floats) -> Floats:
    """Compute the sum of products of filter and pixels at each position, plus the bias, and 0 where it is negative."""
    margin = (len(kernel) // 2,) * 2
    padded = np.pad(images[..., 0] / np.float32(255), ((0, 0), margin, margin))
    patches = np.lib.stride_tricks.sliding_window_view(padded, kernel.shape[:2], axis=(1, 2))
    maps: Floats = np.maximum(np.einsum("nhwij,ijf->nhwf", patches, kernel[:, :, 0]) + bias, 0)
    return maps


def first_maps(network: "keras.Model", images: Grey) -> Floats:
    """Compute the feature maps of the first layer, float32 (n, height, width, filters)."""
    import keras

    return np.asarray(keras.Model(network.input, network.get_layer("conv1").output)(images, training=False))


def edge_responses(network: "keras.Model", side: int) -> Floats:
    """Compute the response of each filter to edges through the image centre: float32 (directions, filters)."""
    angles = 2 * np.pi * np.arange(len(ARROWS)) / len(ARROWS)
    down, across = np.indices((side, side)) - (side - 1) / 2
    bright = [across * np.cos(angle) - down * np.sin(angle) > 0 for angle in angles]
    maps = first_maps(network, 255 * np.stack(bright).astype(np.uint8)[..., np.newaxis])
    middle = slice(side // 2 - 3, side // 2 + 3)  # the edge, without the border of the image
    strongest: Floats = maps[:, middle, middle].max(axis=(1, 2))
    return strongest


def accuracy(network: "keras.Model", inputs: Grey, labels: NDArray[np.integer], removed: list[int]) -> float:
    """Return the accuracy while some filters of the first layer output 0."""
    layer = network.get_layer("conv1")
    kernel, bias = weights = layer.get_weights()
    keep = ~np.isin(np.arange(len(bias)), removed)
    layer.set_weights([kernel * keep, bias * keep])
    predictions = np.asarray(network(inputs, training=False)).argmax(axis=1)
    layer.set_weights(weights)
    return float(np.mean(predictions == labels))


LESSON = Lesson(
    name="filters-and-feature-maps",
    question="What do the filters of a convolutional network detect?",
    needs="mnist",
    seconds=6,
    run=run,
    method="""
        LeNet-5, a small network whose first [convolution] has {filters} [filters|filter], is trained on {n:,} images
        of {data}. We compute its first [feature maps|feature map] by hand: at each position filter and [pixels|pixel]
        are multiplied and summed, a bias is added, and negative results become 0. Then we apply the filters to edges
        of all directions, and do the same with a copy of the network whose weights are random. Finally we remove one
        filter at a time, by setting its weights to 0, and evaluate the network on {test:,} test images.""",
    outcome="""
        The maps computed by hand agree with the network's within {difference:.1g}. In mathematics, a convolution
        rotates each filter by half a turn first: the maps then differ by {rotated_difference:.2f}. What deep learning
        calls convolution does not rotate the filter.

        The filters prefer different edges: their strongest responses are in {directions} directions. In its weakest
        direction a filter has {weakest:.0%} of its strongest response, on average. But that alone is not learned:
        random filters, before any training, respond most strongly in {random_directions} directions, with
        {random_weakest:.0%} in the weakest. Training shapes the filters so that the layers above can use them.

        With all filters the [accuracy] is {accuracy:.1%}. Without the most important one it is {worst_without:.1%},
        without the least important {best_without:.1%}. Without any it is {none:.1%}, the level of guessing.""",
    claims=(
        Claim("Maps computed by hand differ by {difference:.1g}, with rotated filters by {rotated_difference:.2f}.",
              lambda results: results["difference"] < 1e-4 and results["rotated_difference"] > 0.1),
        Claim("Filters respond to edges of {directions} directions, random filters to {random_directions}.",
              lambda results: min(results["directions"], results["random_directions"]) > 1
              and max(results["weakest"], results["random_weakest"]) < 0.8),
        Claim("Filters differ in importance: from {accuracy:.1%}, removing one leaves {worst_without:.1%} to "
              "{best_without:.1%}, removing all {none:.1%}.",
              lambda results: results["none"] < 0.2 and results["accuracy"] - results["worst_without"]
              > max(0.04, 2 * (results["accuracy"] - results["best_without"]))),
    ),
    conclusion="""
        A filter detects a small pattern at every position, and its feature map shows where it was found. Some filters
        are needed and some are redundant, which is why trained networks can be pruned. `tellapart explain` draws a
        bundle's filters with the method `filters`, and the feature maps of each layer with `layers`.""",
    try_next="""
        Replace a filter by its mean response instead of 0. Does removing it then cost less, and why?""",
)  # fmt: skip
