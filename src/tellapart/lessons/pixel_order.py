"""Lesson: a fixed permutation of all pixels shows which models use the positions of pixels: only the convolutions."""

import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tellapart import Recipe, train
from tellapart.lessons.drawing import PERCENT, bars, drawing, square
from tellapart.lessons.images import Images, Part, as_dataset, images
from tellapart.lessons.lesson import Claim, Findings, Lesson, Settings
from tellapart.text import points

NAMES = {"knn": "k-NN", "forest": "random forest", "mlp": "dense network", "cnn": "convolutional network"}


def run(settings: Settings) -> Findings:
    """Train four models on images, and again on the same images with all pixels permuted in the same way."""
    data = images("fashion-mnist", settings, test=0.5)
    learned, test = data.train.take(slice(settings.of(3_000, small=300))), data.test.take(slice(2_000))
    order = np.random.default_rng(settings.seed).permutation(learned.pixels.shape[1])
    permuted, permuted_test = permute(learned, order), permute(test, order)

    before = [accuracy(model, data, learned, test, settings) for model in NAMES]
    after = [accuracy(model, data, permuted, permuted_test, settings) for model in NAMES]
    changes = np.subtract(after, before)
    results = {
        "data": data.name,
        "n": len(learned),
        "pixels": len(order),
        "test": len(test),
        **{f"{model}_before": value for model, value in zip(NAMES, before, strict=True)},
        **{f"{model}_after": value for model, value in zip(NAMES, after, strict=True)},
        **{f"{model}_change": float(value) for model, value in zip(NAMES, changes, strict=True)},
    }
    pair = np.hstack([learned.images[0, :, :, 0], permuted.images[0, :, :, 0]])
    figures = (
        drawing(
            "An image, and the same image with permuted pixels",
            "The permutation is the same for all images. People recognize nothing on the right.",
            square("the same numbers at other positions", pair, height=240),
        ),
        drawing(
            "Accuracy with original and with permuted pixels",
            "A model with two similar bars does not use the position of a pixel, only which pixel it is.",
            bars(f"the convolutional network loses {points(-changes[-1], '.1f')}", "accuracy", list(NAMES.values()),
                 {"original order": before, "permuted": after}, form=".1%", range=[0, 1], **PERCENT),
        ),
    )  # fmt: skip
    return Findings(results, figures)


def permute(part: Part, order: NDArray[np.integer]) -> Part:
    """Permute the pixels of each image."""
    rows = part.images.reshape(len(part), -1)[:, order]
    return Part(rows.reshape(part.images.shape), part.labels)


def accuracy(model: str, data: Images, learned: Part, test: Part, settings: Settings) -> float:
    """Train with the model's usual recipe, and return the test accuracy."""
    n_validation = len(learned) // 6
    dataset = as_dataset(
        data.name,
        data.classes,
        train=learned.take(slice(n_validation, None)),
        validation=learned.take(slice(n_validation)),
        test=test,
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
        We draw one random order of the {pixels} pixels and apply it to every image of {data}, for training and for
        evaluation. Four models are trained on {n:,} original images, and again on the permuted ones: [k nearest
        neighbours], a [random forest], a [dense network|dense layer] and a [convolutional network|convolution]. All
        are evaluated on the same {test:,} test images.""",
    outcome="""
        The accuracy of nearest neighbours stays the same, {knn_before:.1%} and {knn_after:.1%}: a distance is a sum
        over pixels, whose order does not matter. The forest changes from {forest_before:.1%} to {forest_after:.1%},
        the dense network from {mlp_before:.1%} to {mlp_after:.1%}: each input has its own weights at any position, and
        only the random draws meet other pixels. The convolutional network falls from {cnn_before:.1%} to
        {cnn_after:.1%}.""",
    claims=(
        Claim("Nearest neighbours do not depend on the order: {knn_before:.1%} and {knn_after:.1%}.",
              lambda results: abs(results["knn_change"]) < 0.003),
        Claim("The forest and the dense network hardly do: their accuracy changes by {forest_change:+.1p} and "
              "{mlp_change:+.1p}.",
              lambda results: min(results["forest_change"], results["mlp_change"]) > -0.025),
        Claim("The convolutional network does: its accuracy changes by {cnn_change:+.1p}, and falls more than that "
              "of the others.",
              lambda results: results["cnn_change"] < min(results["forest_change"], results["mlp_change"], 0.0) - 0.01),
    ),
    conclusion="""
        A [convolution] applies the same small pattern everywhere and assumes that neighbouring pixels belong together.
        Where that is true, as in images, it learns more from the same number of examples; where it is not, there is no
        such pattern to find. The other models do not make that assumption and must learn it from examples.""",
    try_next="""
        Shift all pixels of each image by two columns (`np.roll`) in the test images only. Which models lose accuracy,
        and which lose least?""",
)  # fmt: skip
