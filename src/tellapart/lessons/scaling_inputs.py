"""Lesson: scaling matters for features of different units, and for networks, but not for distances of pixels."""

import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from tellapart.lessons.drawing import PERCENT, bars, drawing, lines
from tellapart.lessons.images import Part, Pixels, images
from tellapart.lessons.lesson import Claim, Findings, Lesson, Settings

GRID = 4
RATES = (1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6)


def run(settings: Settings) -> Findings:
    """Evaluate neighbours on features of different units and on pixels, and a network on two ranges of inputs."""
    data = images("mnist", settings)
    train, test = data.train.take(slice(settings.of(4_000, small=600))), data.test.take(slice(1_000))
    epochs = settings.of(10, small=8)

    neighbours = {
        "mixed units": knn_score(measured(train), measured(test), train, test),
        "mixed units, standardized": knn_score(measured(train), measured(test), train, test, standardized=True),
        "pixels 0 to 255": knn_score(train.pixels * 255, test.pixels * 255, train, test),
        "pixels 0 to 1": knn_score(train.pixels, test.pixels, train, test),
        "pixels, standardized": knn_score(train.pixels, test.pixels, train, test, standardized=True),
    }
    scores = list(neighbours.values())
    # A range may need its own learning rate: each gets the best of the same six.
    small, large = (best_curve(train, test, scale, epochs, settings.seed) for scale in (1, 255))

    results = {
        "data": data.name,
        "n": len(train),
        "epochs": epochs,
        "rates": len(RATES),
        "features": 1 + GRID**2,
        **dict(zip(("raw", "standard", "wide", "narrow", "each"), scores, strict=True)),
        "first_small": small[0],
        "first_large": large[0],
        "last_small": small[-1],
        "last_large": large[-1],
    }
    figures = (
        drawing(
            "Nearest neighbours before and after scaling",
            f"The upper two bars use {1 + GRID**2} features of different units, the others all pixels.",
            bars(f"with mixed units {scores[0]:.1%} becomes {scores[1]:.1%}",
                 "accuracy", list(neighbours), {"accuracy": scores},
                 form=".1%", range=[0, 1], **PERCENT),
        ),
        drawing(
            "A network on small and on large inputs",
            "The test accuracy of a network with one hidden layer after each epoch, at the best of "
            f"{len(RATES)} learning rates for each range.",
            lines(f"after one epoch {small[0]:.1%} and {large[0]:.1%}", ("epoch", range(1, epochs + 1)), "accuracy",
                  {"inputs 0 to 1": small, "inputs 0 to 255": large}, **PERCENT),
        ),
    )  # fmt: skip
    return Findings(results, figures)


def measured(part: Part) -> Pixels:
    """Compute the total ink of an image, in grey levels, and the share of it in each square of a 4 x 4 grid."""
    side = part.images.shape[1] // GRID
    ink = part.images.reshape(len(part), GRID, side, GRID, side).sum(axis=(2, 4), dtype=np.float32)
    squares = ink.reshape(len(part), -1)
    total = squares.sum(axis=1, keepdims=True)
    return np.hstack([total, squares / total])


def knn_score(x: Pixels, test_x: Pixels, train: Part, test: Part, *, standardized: bool = False) -> float:
    """Return the accuracy of five nearest neighbours."""
    model = KNeighborsClassifier(5)
    model = make_pipeline(StandardScaler(), model) if standardized else model
    return float(model.fit(x, train.labels).score(test_x, test.labels))


def best_curve(train: Part, test: Part, scale: float, epochs: int, seed: int) -> list[float]:
    """Return the accuracy after each epoch at the learning rate with the best mean over all epochs."""
    return max(
        (curve(train, test, scale, epochs, rate, seed) for rate in RATES), key=lambda scores: float(np.mean(scores))
    )


def curve(train: Part, test: Part, scale: float, epochs: int, rate: float, seed: int) -> list[float]:
    """Train a network by stochastic gradient descent on pixels times `scale`, and return its accuracies."""
    scores = []
    model = MLPClassifier(64, solver="sgd", learning_rate_init=rate, max_iter=1, warm_start=True, random_state=seed)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore", ConvergenceWarning)  # one epoch at a time
        for _ in range(epochs):
            model.fit(train.pixels * scale, train.labels)
            scores.append(float(model.score(test.pixels * scale, test.labels)))
    return scores


LESSON = Lesson(
    name="scaling-inputs",
    question="Must inputs be scaled?",
    needs="mnist",
    seconds=4,
    run=run,
    method="""
        Three experiments on {n:,} images of {data}, all evaluated on the same test images. First we describe each
        image by {features} features of different units: the amount of ink, in thousands of grey levels, and the share
        of that ink in each square of a grid, between 0 and 1. [k nearest neighbours] classify by these features,
        unscaled and [standardized|standardizing]. Second, they classify by all pixels, in three ranges. Third, a small
        network is trained on pixels between 0 and 1 and on the same pixels between 0 and 255; since each range may
        need its own [learning rate], each gets the best of {rates}.""",
    outcome="""
        With features of different units, scaling improves the [accuracy] of the neighbours from {raw:.1%} to
        {standard:.1%}: without it, the distance between two images is their difference in ink, and the position of the
        ink is ignored.

        On pixels scaling gains nothing: {wide:.1%} between 0 and 255, {narrow:.1%} between 0 and 1, since all
        distances shrink by the same factor and the nearest neighbour stays the nearest. Standardizing each pixel gives
        {each:.1%}: it makes a pixel at the edge, which hardly anyone draws on, as important as one in the middle.

        The network has an accuracy of {first_small:.1%} after one [epoch] on inputs between 0 and 1, and
        {first_large:.1%} between 0 and 255; after {epochs} epochs {last_small:.1%} and {last_large:.1%}.""",
    claims=(
        Claim("Neighbours gain more than 10 points where units differ: {raw:.1%} becomes {standard:.1%}.",
              lambda results: results["standard"] > results["raw"] + 0.10),
        Claim("One factor for all pixels changes nothing: {wide:.1%} and {narrow:.1%}.",
              lambda results: abs(results["wide"] - results["narrow"]) < 0.002),
        Claim("The network learns faster from small inputs: {first_small:.1%} against {first_large:.1%} after one "
              "epoch, {last_small:.1%} against {last_large:.1%} after the last.",
              lambda results: results["first_small"] > results["first_large"]
              and results["last_small"] > results["last_large"]),
    ),
    conclusion="""
        Scale features of different units before computing distances. Pixels have a single unit, so neighbours do not
        need it. A network does: its learning rate and its initial weights are designed for inputs of about 1.
        tellapart keeps the scaling inside the model, so that it cannot be forgotten in prediction.""",
    try_next="""
        A [decision tree] only compares numbers with thresholds. How does scaling change it? Use
        `DecisionTreeClassifier` instead of the neighbours.""",
)  # fmt: skip
