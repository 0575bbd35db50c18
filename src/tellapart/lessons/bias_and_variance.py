"""Why are simple models wrong, and why complex ones? The first miss the pattern, the second chase the noise."""

import numpy as np
from numpy.typing import NDArray
from sklearn.tree import DecisionTreeClassifier

from tellapart.lessons.drawing import drawing, lines
from tellapart.lessons.images import Part, images
from tellapart.lessons.lesson import Claim, Findings, Lesson, Settings

DEPTHS = (1, 2, 3, 4, 5, 6, 8, 10, 12, 15)
FLIPPED = 0.2  # the share of labels that are drawn anew: noise of a known size

Floats = NDArray[np.float64]


def run(settings: Settings) -> Findings:
    """Grow trees of each depth on bootstrap samples, and split their squared error into its three parts, exactly."""
    data = images("digits", settings)
    rng = np.random.default_rng(settings.seed)
    classes, rounds = len(data.classes), settings.of(100, small=25)
    truth = chances(data.test.labels, classes)  # what the best possible model would say
    noise = float(np.mean(1 - (truth**2).sum(axis=1)))

    bias, variance, total = [], [], []
    for depth in DEPTHS:
        said = np.stack([answers(data.train, data.test, depth, classes, rng) for _ in range(rounds)])
        mean = said.mean(axis=0)
        bias.append(float(((mean - truth) ** 2).sum(axis=1).mean()))
        variance.append(float(((said - mean) ** 2).sum(axis=2).mean()))
        # The same error without any theory: against labels that are drawn as the training labels are.
        drawn = np.eye(classes)[np.stack([redrawn(data.test.labels, classes, rng) for _ in range(rounds)])]
        total.append(float(((said - drawn) ** 2).sum(axis=2).mean()))

    parts = np.add(bias, variance) + noise
    best = int(np.argmin(total))
    results = {
        "data": data.name,
        "n": len(data.train),
        "rounds": rounds,
        "flipped": FLIPPED,
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
        f"least at depth {DEPTHS[best]}", ("depth of the tree", DEPTHS), "squared error",
        {"bias squared": bias, "variance": variance, "noise": [noise] * len(DEPTHS), "measured error": total},
        rangemode="tozero",
    )  # fmt: skip
    caption = (
        "From left to right trees may ask more questions. Bias falls, variance rises, noise stays, and the measured "
        "error is their sum: it is least where one has fallen enough and the other not yet risen too far."
    )
    return Findings(results, (drawing("Three parts of an error", caption, figure),))


def chances(labels: NDArray[np.integer], classes: int) -> Floats:
    """The probability of each class once some labels are drawn anew: float64 (n, classes)."""
    known: Floats = np.eye(classes)[labels] * (1 - FLIPPED) + FLIPPED / classes
    return known


def redrawn(labels: NDArray[np.integer], classes: int, rng: np.random.Generator) -> NDArray[np.integer]:
    """The labels, some of them drawn by lot."""
    lots = rng.integers(0, classes, len(labels))
    return np.where(rng.random(len(labels)) < FLIPPED, lots, labels)


def answers(train: Part, test: Part, depth: int, classes: int, rng: np.random.Generator) -> Floats:
    """The probabilities that a tree gives, grown on a bootstrap sample with noisy labels: float64 (n, classes)."""
    some = rng.integers(0, len(train), len(train))
    labels = redrawn(train.labels[some], classes, rng)
    tree = DecisionTreeClassifier(max_depth=depth, random_state=int(rng.integers(2**31)))
    said: Floats = tree.fit(train.pixels[some], labels).predict_proba(test.pixels)
    return said


LESSON = Lesson(
    name="bias-and-variance",
    question="What are bias and variance, and can they be measured?",
    needs="digits",
    seconds=8,
    run=run,
    method="""
        We make noise of a known size: {flipped:.0%} of the labels of {data} are drawn by lot. For each depth we grow
        {rounds} [decision trees|decision tree], each on another [bootstrap] sample of {n:,} images. On new images
        we compare the probabilities they give with the true ones, which we know, by the sum of squared differences.

        [Bias|bias] is how far the mean of all trees is from the truth, and counts squared. [Variance|variance] is how
        far the single trees are from their mean. [Noise|noise] is what is left even to the best model. Beside these
        we measure the whole error directly, against labels drawn by lot once more.""",
    outcome="""
        From depth {low_depth} to depth {high_depth}, bias squared falls from {low_bias:.3f} to {high_bias:.3f}, and
        variance rises from {low_variance:.3f} to {high_variance:.3f}. Noise is {noise:.3f} for all. The measured
        error is {low_error:.3f} and {high_error:.3f} at the two ends, and least, {best_error:.3f}, at depth
        {best_depth}.

        The three parts add up to the measured error within {off:.1%}.""",
    claims=(
        Claim("Bias falls with depth: {low_bias:.3f} to {high_bias:.3f}.",
              lambda results: results["high_bias"] < 0.5 * results["low_bias"]),
        Claim("Variance rises with depth: {low_variance:.3f} to {high_variance:.3f}.",
              lambda results: results["high_variance"] > 2 * results["low_variance"]),
        Claim("The best depth, {best_depth}, is between the ends.",
              lambda results: results["low_depth"] < results["best_depth"] < results["high_depth"]),
        Claim("Bias squared, variance and noise are the whole error, within {off:.1%}.",
              lambda results: results["off"] < 0.03),
    ),
    conclusion="""
        A model that is too simple is wrong in the same way each time; one that is too free is wrong in another way
        each time. The first gains from more freedom, the second from more images, or from asking many and taking
        their mean, which is what a [random forest] does. Against noise nothing helps but better labels.""",
    try_next="""
        Let the mean of ten trees answer in place of one tree (average `answers` over ten samples). Which of the three
        parts gets smaller, and which does not?""",
)  # fmt: skip
