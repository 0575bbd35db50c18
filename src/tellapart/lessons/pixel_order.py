"""Does the order of pixels matter? One fixed permutation of all pixels tells which models use their places."""

import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tellapart import Recipe, train
from tellapart.lessons.drawing import PERCENT, bars, drawing, square
from tellapart.lessons.images import Images, Part, as_dataset, images
from tellapart.lessons.lesson import Claim, Findings, Lesson, Settings

NAMES = {"knn": "k-NN", "forest": "random forest", "mlp": "dense network", "cnn": "convolutional network"}


def run(settings: Settings) -> Findings:
    """Train four models on images, and again on the same images with all pixels in another, fixed order."""
    data = images("fashion-mnist", settings, test=0.5)
    learned, test = data.train.take(slice(settings.of(3_000, small=300))), data.test.take(slice(2_000))
    order = np.random.default_rng(settings.seed).permutation(learned.pixels.shape[1])
    mixed, mixed_test = shuffled(learned, order), shuffled(test, order)

    before = [accuracy(model, data, learned, test, settings) for model in NAMES]
    after = [accuracy(model, data, mixed, mixed_test, settings) for model in NAMES]
    lost = np.subtract(before, after)
    results = {
        "data": data.name,
        "n": len(learned),
        "pixels": len(order),
        "test": len(test),
        **{f"{model}_before": value for model, value in zip(NAMES, before, strict=True)},
        **{f"{model}_after": value for model, value in zip(NAMES, after, strict=True)},
        **{f"{model}_lost": float(value) for model, value in zip(NAMES, lost, strict=True)},
    }
    pair = np.hstack([learned.images[0, :, :, 0], mixed.images[0, :, :, 0]])
    figures = (
        drawing(
            "An image, and the same image with its pixels in another order",
            "The order is the same for all images. To a person, nothing is left to see on the right.",
            square("the same numbers, other places", pair, height=240),
        ),
        drawing(
            "Accuracy before and after",
            "A model whose two bars are alike does not use where a pixel is, only which pixel it is.",
            bars(f"the convolutional network loses {lost[-1]:.1%}", "accuracy", list(NAMES.values()),
                 {"pixels in order": before, "in another order": after}, form=".1%", range=[0, 1], **PERCENT),
        ),
    )  # fmt: skip
    return Findings(results, figures)


def shuffled(part: Part, order: NDArray[np.integer]) -> Part:
    """The same images, each with its pixels in that order."""
    rows = part.images.reshape(len(part), -1)[:, order]
    return Part(rows.reshape(part.images.shape), part.labels)


def accuracy(model: str, data: Images, learned: Part, test: Part, settings: Settings) -> float:
    """Train by the model's usual recipe, and judge on the test images."""
    held = len(learned) // 6
    dataset = as_dataset(
        data.name, data.classes, train=learned.take(slice(held, None)), validation=learned.take(slice(held)), test=test
    )
    recipe = Recipe(model=model, trees=100, epochs=settings.of(12, small=35), seed=settings.seed,
                    learning_rate=3e-3 if model in ("mlp", "cnn") else None,
                    features="pixels" if model in ("knn", "forest") else None)  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        run = train(dataset, recipe, out=Path(folder) / "run")
        return float(run.metrics["test"]["accuracy"]["value"])


LESSON = Lesson(
    name="pixel-order",
    question="Does the order of the pixels matter?",
    needs="fashion-mnist",
    seconds=26,
    run=run,
    method="""
        We draw one order of the {pixels} pixels by lot and put the pixels of every image of {data} into it, for
        training and for judging alike. Four models learn {n:,} images as they are, and once more in the other
        order: [k nearest neighbours], a [random forest], a [dense network|dense layer] and a [convolutional
        network|convolution]. All are judged on the same {test:,} images.""",
    outcome="""
        The neighbours answer as before, {knn_before:.1%} and {knn_after:.1%}: a distance is a sum over pixels, and
        sums have no order. The forest goes from {forest_before:.1%} to {forest_after:.1%}, the dense network from
        {mlp_before:.1%} to {mlp_after:.1%}: each input has weights of its own, wherever it stands; only the draws of
        chance meet other pixels. The convolutional network falls from {cnn_before:.1%} to {cnn_after:.1%}.""",
    claims=(
        Claim(
            "Neighbours do not mind at all: {knn_before:.1%} and {knn_after:.1%}.",
            lambda results: abs(results["knn_lost"]) < 0.003,  # equally near images may be taken in another order
        ),
        Claim(
            "Forest and dense network hardly mind: they lose {forest_lost:.1%} and {mlp_lost:.1%}.",
            lambda results: max(results["forest_lost"], results["mlp_lost"]) < 0.025,
        ),
        Claim(
            "The convolutional network minds: it loses {cnn_lost:.1%}, more than the others.",
            lambda results: results["cnn_lost"] > max(results["forest_lost"], results["mlp_lost"], 0.0) + 0.01,
        ),
    ),
    conclusion="""
        A [convolution] looks for the same small pattern everywhere and takes for granted that neighbouring pixels
        belong together. Where that is true, as in images, it learns more from as many examples; where it is not, it
        has nothing to find. The other models must learn from examples what they are not told.""",
    try_next="""
        Move all pixels of each image by two columns (`np.roll`) in the test images alone. Which models mind that,
        and which mind it least?""",
)
