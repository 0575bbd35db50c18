"""Lesson: simple models have bias, complex models have variance, and the sum can be measured."""

import numpy as np
from numpy.typing import NDArray
from sklearn.tree import DecisionTreeClassifier

from tellapart.lessons.drawing import drawing, lines
from tellapart.lessons.images import Part, images
from tellapart.lessons.lesson import Claim, Findings, Lesson, Settings

DEPTHS = (1, 2, 3, 4, 5, 6, 8, 10, 12, 15)
NOISE_SHARE = 0.2  # of labels that are redrawn at random: noise of a known size

Floats = NDArray[np.float64]


def run(settings: Settings) -> Findings:
    """Grow trees of each depth on bootstrap samples, and decompose their squared error into its three parts."""
    data = images("digits", settings)
    rng = np.random.default_rng(settings.seed)
    classes, rounds = len(data.classes), settings.of(100, small=25)
    truth = true_probs(data.test.labels, classes)  # the prediction of the best possible model
    noise = float(np.mean(1 - (truth**2).sum(axis=1)))

    bias, variance, total = [], [], []
    for depth in DEPTHS:
        probs = np.stack([predictions(data.train, data.test, depth, classes, rng) for _ in range(rounds)])
        mean = probs.mean(axis=0)
        bias.append(float(((mean - truth) ** 2).sum(axis=1).mean()))
        variance.append(float(((probs - mean) ** 2).sum(axis=2).mean()))
        # The same error measured directly, against labels redrawn as the training labels are.
        drawn = np.eye(classes)[np.stack([redrawn(data.test.labels, classes, rng) for _ in range(rounds)])]
        total.append(float(((probs - drawn) ** 2).sum(axis=2).mean()))

    parts = np.add(bias, variance) + noise
    best = int(np.argmin(total))
    results = {
        "data": data.name,
        "n": len(data.train),
        "rounds": rounds,
        "flipped": NOISE_SHARE,
        "noise": noise,
        "low_depth": DEPTHS[0],
        "high_depth": DEPTHS[-1],
        "low_bias": bias[0],
        "high_bias": bias[-1],
        "low_variance": variance[0],
        "high_variance": variance[-1],
        "best_depth": DEPTHS[best],
        "best_error": total[best],
        "low_error": total[0],
        "high_error": total[-1],
        "off": float(np.max(np.abs(parts / total - 1))),
    }
    figure = lines(
        f"lowest at depth {DEPTHS[best]}", ("depth of the tree", DEPTHS), "squared error",
        {"squared bias": bias, "variance": variance, "noise": [noise] * len(DEPTHS), "measured error": total},
        rangemode="tozero",
    )  # fmt: skip
    caption = (
        "From left to right trees get deeper. Bias falls, variance rises, noise stays, and the measured error is their "
        "sum: it is lowest in between."
    )
    return Findings(results, (drawing("The three parts of the error", caption, figure),))


def true_probs(labels: NDArray[np.integer], classes: int) -> Floats:
    """Return the probability of each class once some labels are redrawn: float64 (n, classes)."""
    probs: Floats = np.eye(classes)[labels] * (1 - NOISE_SHARE) + NOISE_SHARE / classes
    return probs


def redrawn(labels: NDArray[np.integer], classes: int, rng: np.random.Generator) -> NDArray[np.integer]:
    """Redraw some of the labels at random."""
    random_labels = rng.integers(0, classes, len(labels))
    return np.where(rng.random(len(labels)) < NOISE_SHARE, random_labels, labels)


def predictions(train: Part, test: Part, depth: int, classes: int, rng: np.random.Generator) -> Floats:
    """Predict with a tree grown on a bootstrap sample with noisy labels: float64 (n, classes)."""
    sample = rng.integers(0, len(train), len(train))
    labels = redrawn(train.labels[sample], classes, rng)
    tree = DecisionTreeClassifier(max_depth=depth, random_state=int(rng.integers(2**31)))
    probs: Floats = tree.fit(train.pixels[sample], labels).predict_proba(test.pixels)
    return probs


LESSON = Lesson(
    name="bias-and-variance",
    question="What are bias and variance, and can they be measured?",
    needs="digits",
    seconds=8,
    run=run,
    method="""
        We add noise of a known size: {flipped:.0%} of the labels of {data} are redrawn at random. For each depth we
        grow {rounds} [decision trees|decision tree], each on another [bootstrap] sample of {n:,} images. On test
        images we compare the probabilities they predict with the true ones, which we know, by the sum of squared
        differences.

        [Bias|bias] is the difference between the mean of all trees and the truth; it enters squared.
        [Variance|variance] is the spread of the trees around their mean. [Noise|noise] is the error of the best
        possible model. We also measure the whole error directly, against labels that are redrawn once more.""",
    outcome="""
        From depth {low_depth} to depth {high_depth}, squared bias falls from {low_bias:.3f} to {high_bias:.3f}, and
        variance rises from {low_variance:.3f} to {high_variance:.3f}. Noise is always {noise:.3f}. The measured error
        is {low_error:.3f} and {high_error:.3f} at the two ends, and lowest, {best_error:.3f}, at depth {best_depth}.

        The three parts add up to the measured error within {off:.1%}.""",
    claims=(
        Claim("Bias falls with depth: {low_bias:.3f} to {high_bias:.3f}.",
              lambda results: results["high_bias"] < 0.5 * results["low_bias"]),
        Claim("Variance rises with depth: {low_variance:.3f} to {high_variance:.3f}.",
              lambda results: results["high_variance"] > 2 * results["low_variance"]),
        Claim("The best depth, {best_depth}, is neither the smallest nor the largest.",
              lambda results: results["low_depth"] < results["best_depth"] < results["high_depth"]),
        Claim("Squared bias, variance and noise add up to the whole error, within {off:.1%}.",
              lambda results: results["off"] < 0.03),
    ),
    conclusion="""
        A model that is too simple makes the same mistakes on every sample; a model that is too complex makes different
        ones on each. The first needs more capacity, the second more images, or an average over many models, which is
        what a [random forest] computes. Only better labels reduce noise.""",
    try_next="""
        Average the predictions of ten trees (`predictions` over ten samples). Which of the three parts decreases, and
        which does not?""",
)  # fmt: skip
