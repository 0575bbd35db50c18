"""What does a confusion matrix show, and what does it hide? Which classes are confused, but not how surely.

Source of overconfidence and of the temperature: Guo et al., On calibration of modern neural networks (2017).
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
from tellapart.reports.figures.certainty import reliability
from tellapart.reports.figures.heatmap import confusion as matrix

SURE = 0.9  # from which probability on an answer is called sure
PAIRS = 5
SHOWN = 10


def run(settings: Settings) -> Findings:
    """Judge a regression as it learned and with a temperature: the same answers, other probabilities."""
    data = images("mnist", settings)
    n = min(settings.of(4_000, small=250), len(data.train) // 2)
    held_out = settings.of(2_000, small=500)
    train, held = data.train.take(slice(n)), data.train.take(slice(n, n + held_out))
    test = data.test.take(slice(settings.of(10_000, small=800)))

    # With so large a C nothing keeps the weights from growing, and the answers from getting surer.
    model = LogisticRegression(C=1e4, max_iter=5_000).fit(train.pixels, train.labels)
    said = model.predict_proba(test.pixels)
    degrees = fit_temperature(held.labels, model.predict_proba(held.pixels))  # settled on other images than are judged
    first = judge(test.labels, said, data.classes, seed=settings.seed)
    second = judge(test.labels, apply_temperature(said, degrees), data.classes, seed=settings.seed)

    # Do the same classes go on being confused? Pairs found on one half of the images are counted on the other.
    half = len(test) // 2
    seen, other = (mistakes(test.labels[some], said[some]) for some in (slice(half), slice(half, None)))
    worst = np.argsort(-seen, axis=None, kind="stable")[:PAIRS]
    wrong = np.flatnonzero(said.argmax(axis=1) != test.labels)
    surest = wrong[np.argsort(-said[wrong].max(axis=1), kind="stable")][:SHOWN]
    pair = most_confused(first.confusion, first.classes, 1)[0]
    results = {
        "data": data.name,
        "n": len(train),
        "test": len(test),
        "held": len(held),
        "wrong": len(wrong),
        "true": pair.true,
        "predicted": pair.predicted,
        "count": pair.count,
        "of_class": pair.share,
        "few": PAIRS,
        "cells": seen.size - len(seen),
        "by_chance": PAIRS / (seen.size - len(seen)),
        "in_few": float(other.ravel()[worst].sum() / other.sum()),
        "degrees": degrees,
        "cells_changed": int(np.count_nonzero(first.confusion != second.confusion)),
        "first_error": first.ece.value,
        "second_error": second.ece.value,
        "first_loss": first.log_loss.value,
        "second_loss": second.log_loss.value,
        "accuracy": first.accuracy.value,
        "first_mean": float(first.probs.max(axis=1).mean()),
        "second_mean": float(second.probs.max(axis=1).mean()),
        "sure": SURE,
        "first_sure_wrong": sure_and_wrong(first),
        "second_sure_wrong": sure_and_wrong(second),
    }
    worst_images = test.images[surest, :, :, 0]
    shown = f"{data.classes[test.labels[surest[0]]]} taken for {data.classes[said[surest[0]].argmax()]}"
    figures = (
        drawing(
            "The matrix of both",
            "A row for each digit as it is, a column for each digit it was taken for: blue is right, and a red cell "
            "is a mistake, the stronger the more often it was made.",
            matrix(first),
        ),
        drawing(
            "What the matrix hides",
            "Answers are grouped by their probability: on the dotted line, of answers called 80 % sure 80 % are "
            "right; below it the model is too sure of itself.",
            reliability({"as learned": first, "with a temperature": second}),
        ),
        drawing(
            "The surest mistakes",
            "The mistakes that the first model was surest of, the surest on the upper left. In the matrix each counts "
            "as one, like a mistake that was a toss-up.",
            image_rows(f"the first: {shown}", {"first five": worst_images[:5], "next five": worst_images[5:]}),
        ),
    )
    return Findings(results, figures)


def mistakes(labels: NDArray[np.integer], probs: NDArray[np.floating]) -> NDArray[np.int64]:
    """The confusion matrix without its diagonal."""
    counts = confusion_matrix(labels, probs.argmax(axis=1), probs.shape[1])
    np.fill_diagonal(counts, 0)
    return counts


def sure_and_wrong(evaluation: Evaluation) -> int:
    """How many answers are called sure and are wrong."""
    wrong = evaluation.probs.argmax(axis=1) != evaluation.labels
    return int(np.count_nonzero(wrong & (evaluation.probs.max(axis=1) >= SURE)))


LESSON = Lesson(
    name="confusion-matrix",
    question="What does a confusion matrix show, and what does it hide?",
    needs="mnist",
    seconds=3,
    run=run,
    method="""
        A [logistic regression] whose weights may grow as they like learns {n:,} images of {data} and is judged on
        {test:,} new ones. A second model is made of it: its probabilities are drawn together by a [temperature],
        settled on {held:,} further images so that the [log-loss] is least there. We look at the [confusion matrix]
        of both, and at their [calibration].""",
    outcome="""
        What it shows: of {wrong:,} mistakes the most frequent is {true} taken for {predicted}, {count} times, which is
        {of_class:.1%} of all {true}. Mistakes are not spread evenly: the {few} cells of {cells} that held most on one
        half of the images hold {in_few:.0%} on the other half, where chance would put {by_chance:.0%}.

        What it hides: the temperature, {degrees:.2f}, changes {cells_changed} cells. Both models are right on
        {accuracy:.1%}. But the first says that it is {first_mean:.1%} sure on average, the second {second_mean:.1%};
        their [calibration errors|calibration error] are {first_error:.1%} and {second_error:.1%}, their log-losses
        {first_loss:.3f} and {second_loss:.3f}. With a probability of {sure:.0%} or more, {first_sure_wrong:,} answers
        of the first were wrong, and {second_sure_wrong:,} of the second.""",
    claims=(
        Claim("Both have the same matrix: {cells_changed} cells differ.",
              lambda results: results["cells_changed"] == 0),
        Claim("Their calibration differs: an error of {first_error:.1%} becomes {second_error:.1%}.",
              lambda results: results["second_error"] < 0.8 * results["first_error"]),
        Claim("Fewer mistakes are called sure: {first_sure_wrong:,} become {second_sure_wrong:,}.",
              lambda results: results["second_sure_wrong"] < 0.7 * results["first_sure_wrong"]),
        Claim("The same classes go on being confused: {in_few:.0%} of mistakes are in {few} cells that were found on "
              "other images, where chance would put {by_chance:.0%}.",
              lambda results: results["in_few"] > 1.5 * results["by_chance"]),
    ),
    conclusion="""
        Read a confusion matrix for where mistakes are made: it says which classes need more images, or a second
        look. It counts answers and knows nothing of probabilities. Whoever acts on these, by a [threshold] or by
        costs, looks at the calibration as well. `tellapart report` draws both, and `tellapart calibrate` settles the
        temperature.""",
    try_next="""
        Let the model learn other images, `train = data.train.take(slice(-n, None))`. How like is its matrix, and
        are the same images wrong?""",
)  # fmt: skip
