"""Lesson: cross-validation gives estimates that vary less than those of one split, at the cost of more trainings."""

import numpy as np
from sklearn.model_selection import KFold, cross_val_score, train_test_split
from sklearn.neighbors import KNeighborsClassifier

from tellapart.lessons.drawing import PERCENT, drawing, lines
from tellapart.lessons.images import Part, images
from tellapart.lessons.lesson import Claim, Findings, Lesson, Settings

FOLDS = 5


def run(settings: Settings) -> Findings:
    """Evaluate the same model by one split and by folds, on many samples of several sizes."""
    data = images("mnist", settings)
    sizes = (50, 100, 200, 400, 800)[: settings.of(5, small=3)]
    rounds = settings.of(60, small=30)
    rng = np.random.default_rng(settings.seed)

    single, folded = np.zeros((2, len(sizes), rounds))
    for row, n in enumerate(sizes):
        for number in range(rounds):
            sample = data.train.take(rng.choice(len(data.train), n, replace=False))
            single[row, number], folded[row, number] = by_split(sample, number), by_folds(sample, number)

    spread_single, spread_folds = single.std(axis=1, ddof=1), folded.std(axis=1, ddof=1)
    results = {
        "data": data.name,
        "folds": FOLDS,
        "rounds": rounds,
        "small": sizes[0],
        "large": sizes[-1],
        "held_out": sizes[0] // FOLDS,
        "single_small": float(spread_single[0]),
        "folds_small": float(spread_folds[0]),
        "single_large": float(spread_single[-1]),
        "folds_large": float(spread_folds[-1]),
        "lowest": float(single[0].min()),
        "highest": float(single[0].max()),
        "ratio": float(np.mean(spread_single / spread_folds)),
    }
    figure = lines(
        f"one split varies {results['ratio']:.1f} times as much", ("images in total", sizes), "standard deviation",
        {"one split": spread_single, f"{FOLDS} folds": spread_folds},
        across={"type": "log", "tickvals": sizes}, rangemode="tozero", **PERCENT,
    )  # fmt: skip
    caption = (
        f"The standard deviation of the estimated accuracy over {rounds} samples of each size: the lower the line, the "
        "more reliable a single estimate."
    )
    return Findings(results, (drawing("The spread of the estimates", caption, figure),))


def by_split(part: Part, seed: int) -> float:
    """Return the accuracy on a fifth of the images, after training on the others."""
    x, test_x, labels, test_labels = train_test_split(part.pixels, part.labels, test_size=1 / FOLDS, random_state=seed)
    return float(model().fit(x, labels).score(test_x, test_labels))


def by_folds(part: Part, seed: int) -> float:
    """Return the mean accuracy over folds: each image is predicted once, by a model not trained on it."""
    folds = KFold(FOLDS, shuffle=True, random_state=seed)
    return float(cross_val_score(model(), part.pixels, part.labels, cv=folds).mean())


def model() -> KNeighborsClassifier:
    """Create the model to evaluate."""
    return KNeighborsClassifier(3)


LESSON = Lesson(
    name="cross-validation",
    question="What does cross-validation gain, and what does it cost?",
    needs="mnist",
    seconds=7,
    run=run,
    method="""
        We draw {small} images of {data} and estimate the accuracy of [k nearest neighbours] trained on them, in two
        ways: by one split, four fifths for training and one fifth for evaluation, and by [cross-validation] with
        {folds} [folds|fold], in which each image is predicted once by a model that was not trained on it. We repeat
        this {rounds} times with other images, and again with more, up to {large}. The true accuracy hardly differs
        between repetitions, so the differences between estimates are due to chance.""",
    outcome="""
        With {small} images, one split, which evaluates on {held_out} of them, gave values from {lowest:.0%} to
        {highest:.0%}; the [standard deviation] is {single_small:.1%}. That of {folds} folds is {folds_small:.1%}. With
        {large} images the two are {single_large:.1%} and {folds_large:.1%}. On average over sizes, the estimate of one
        split varies {ratio:.1f} times as much.

        The price is {folds} trainings instead of one.""",
    claims=(
        Claim("Estimates by folds vary less: {ratio:.1f} times less on average over sizes.",
              lambda results: results["ratio"] > 1.3),
        Claim("More images help too: the standard deviation of one split is {single_large:.1%} with {large} images, "
              "{single_small:.1%} with {small}.",
              lambda results: results["single_large"] < results["single_small"]),
    ),
    conclusion="""
        Cross-validation uses every image for evaluation, and so gets a more precise estimate from few images. It pays
        off where images are few and training is fast. With tens of thousands of images, one split evaluates on
        thousands, is precise to about a point, and costs one training. Folds are for choosing between models: the
        [test set] stays separate.""",
    try_next="""
        Run `tellapart cross-validate digits --model knn --folds 10`. How much do the ten folds differ, and what is the
        confidence interval of their mean?""",
)  # fmt: skip
