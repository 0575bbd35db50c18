"""Lesson: a confusion matrix shows which classes are confused, but not how confident the predictions are.

Source of overconfidence and temperature scaling: Guo et al., On calibration of modern neural networks (2017).
"""

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from tellapart import Evaluation, judge
from tellapart.judging.calibration import apply_temperature, fit_temperature
from tellapart.judging.confusion import confusion_matrix, most_confused
from tellapart.lessons.drawing import drawing, image_rows
from tellapart.lessons.images import images
from tellapart.lessons.lesson import Claim, Findings, Lesson, Settings
from tellapart.reports.figures.calibration import reliability
from tellapart.reports.figures.heatmap import confusion as matrix

CONFIDENT = 0.9  # predictions of at least this probability are called confident
PAIRS = 5
COLUMNS = 10


def run(settings: Settings) -> Findings:
    """Evaluate a regression without and with a temperature: the same predictions, different probabilities."""
    data = images("mnist", settings)
    n = min(settings.of(4_000, small=250), len(data.train) // 2)
    n_held_out = settings.of(2_000, small=500)
    train, held_out = data.train.take(slice(n)), data.train.take(slice(n, n + n_held_out))
    test = data.test.take(slice(settings.of(10_000, small=800)))

    # Such a large C hardly regularizes the weights, so that the predictions become overconfident.
    model = LogisticRegression(C=1e4, max_iter=5_000).fit(train.pixels, train.labels)
    probs = model.predict_proba(test.pixels)
    temperature = fit_temperature(held_out.labels, model.predict_proba(held_out.pixels))
    first = judge(test.labels, probs, data.classes, seed=settings.seed)
    second = judge(test.labels, apply_temperature(probs, temperature), data.classes, seed=settings.seed)

    # Are the same classes confused on other images? Find pairs on one half, and count them on the other.
    half = len(test) // 2
    counts, other = (mistakes(test.labels[part], probs[part]) for part in (slice(half), slice(half, None)))
    worst = np.argsort(-counts, axis=None, kind="stable")[:PAIRS]
    wrong = np.flatnonzero(probs.argmax(axis=1) != test.labels)
    most_confident = wrong[np.argsort(-probs[wrong].max(axis=1), kind="stable")][:COLUMNS]
    pair = most_confused(first.cells, first.classes, 1)[0]
    results = {
        "data": data.name,
        "n": len(train),
        "test": len(test),
        "held_out": len(held_out),
        "wrong": len(wrong),
        "true": pair.true,
        "predicted": pair.predicted,
        "count": pair.count,
        "of_class": pair.share,
        "few": PAIRS,
        "cells": counts.size - len(counts),
        "by_chance": PAIRS / (counts.size - len(counts)),
        "in_few": float(other.ravel()[worst].sum() / other.sum()),
        "temperature": temperature,
        "cells_changed": int(np.count_nonzero(first.confusion != second.confusion)),
        "first_error": first.ece.value,
        "second_error": second.ece.value,
        "first_loss": first.log_loss.value,
        "second_loss": second.log_loss.value,
        "accuracy": first.accuracy.value,
        "first_mean": float(first.probs.max(axis=1).mean()),
        "second_mean": float(second.probs.max(axis=1).mean()),
        "confident": CONFIDENT,
        "first_confident_wrong": confident_mistakes(first),
        "second_confident_wrong": confident_mistakes(second),
    }
    worst_images = test.images[most_confident, :, :, 0]
    worst_index = most_confident[0]
    title = f"{data.classes[test.labels[worst_index]]} predicted as {data.classes[probs[worst_index].argmax()]}"
    figures = (
        drawing(
            "The confusion matrix of both models",
            "A row for each true class, a column for each predicted class. Blue cells are correct, red cells are "
            "mistakes; the stronger the colour, the more images.",
            matrix(first),
        ),
        drawing(
            "What the matrix hides",
            "Predictions are grouped by confidence. On the dotted line confidence and accuracy agree; below it the "
            "model is overconfident.",
            reliability({"without temperature": first, "with a temperature": second}),
        ),
        drawing(
            "The most confident mistakes",
            "The mistakes of the first model with the highest confidence, the highest on the upper left. In the matrix "
            "each of them counts as much as an uncertain one.",
            image_rows(f"the first: {title}", {"first five": worst_images[:5], "next five": worst_images[5:]}),
        ),
    )
    return Findings(results, figures)


def mistakes(labels: NDArray[np.integer], probs: NDArray[np.floating]) -> NDArray[np.int64]:
    """Return the confusion matrix with zeros on its diagonal."""
    counts = confusion_matrix(labels, probs.argmax(axis=1), probs.shape[1])
    np.fill_diagonal(counts, 0)
    return counts


def confident_mistakes(evaluation: Evaluation) -> int:
    """Count the confident predictions that are wrong."""
    wrong = evaluation.probs.argmax(axis=1) != evaluation.labels
    return int(np.count_nonzero(wrong & (evaluation.probs.max(axis=1) >= CONFIDENT)))


LESSON = Lesson(
    name="confusion-matrix",
    question="What does a confusion matrix show, and what does it hide?",
    needs="mnist",
    seconds=3,
    run=run,
    method="""
        A [logistic regression] with almost no regularization is trained on {n:,} images of {data} and evaluated on
        {test:,} test images. A second model differs only by a [temperature], which is fitted on {held_out:,} further
        images so that the [log-loss] is lowest there. We compare the [confusion matrices|confusion matrix] and the
        [calibration] of both models.""",
    outcome="""
        What the matrix shows: of {wrong:,} mistakes the most frequent is {true} predicted as {predicted}, {count}
        times, which is {of_class:.1%} of all {true}. Mistakes are not spread evenly: the {few} cells of {cells} with
        the most mistakes on one half of the images contain {in_few:.0%} of the mistakes on the other half; random
        mistakes would put {by_chance:.0%} there.

        What it hides: the temperature, {temperature:.2f}, changes {cells_changed} cells, and both models have an
        [accuracy] of {accuracy:.1%}. But the mean [confidence] of the first is {first_mean:.1%}, of the second
        {second_mean:.1%}; their [calibration errors|calibration error] are {first_error:.1%} and {second_error:.1%},
        their log-losses {first_loss:.3f} and {second_loss:.3f}. Of the predictions with a confidence of
        {confident:.0%} or more, {first_confident_wrong:,} of the first model are wrong, and {second_confident_wrong:,}
        of the second.""",
    claims=(
        Claim("Both models have the same matrix: {cells_changed} cells differ.",
              lambda results: results["cells_changed"] == 0),
        Claim("Their calibration differs: the error decreases from {first_error:.1%} to {second_error:.1%}.",
              lambda results: results["second_error"] < 0.8 * results["first_error"]),
        Claim("There are fewer confident mistakes: {second_confident_wrong:,} instead of {first_confident_wrong:,}.",
              lambda results: results["second_confident_wrong"] < 0.7 * results["first_confident_wrong"]),
        Claim("The same classes are confused on other images: {in_few:.0%} of the mistakes are in {few} cells that "
              "were chosen on one half of the images, where random mistakes would put {by_chance:.0%}.",
              lambda results: results["in_few"] > 1.5 * results["by_chance"]),
    ),
    conclusion="""
        Read a confusion matrix to see where mistakes are made: it shows which classes need more images, or a second
        look. It counts predictions and ignores their probabilities. If you act on probabilities, by a [threshold] or
        by costs, look at the calibration as well. `tellapart report` draws both, and `tellapart calibrate` fits the
        temperature.""",
    try_next="""
        Train on other images, `train = data.train.take(slice(-n, None))`. How similar is the matrix, and are the same
        images predicted incorrectly?""",
)  # fmt: skip
