"""What does cross-validation gain over one split? Estimates that chance moves less, for more trainings."""

import numpy as np
from sklearn.model_selection import KFold, cross_val_score, train_test_split
from sklearn.neighbors import KNeighborsClassifier

from tellapart.lessons.drawing import PERCENT, drawing, lines
from tellapart.lessons.images import Part, images
from tellapart.lessons.lesson import Claim, Findings, Lesson, Settings

FOLDS = 5


def run(settings: Settings) -> Findings:
    """Judge the same model by one split and by folds, on many small collections and on larger ones."""
    data = images("mnist", settings)
    sizes = (50, 100, 200, 400, 800)[: settings.of(5, small=3)]
    rounds = settings.of(60, small=30)
    rng = np.random.default_rng(settings.seed)

    one, many = np.zeros((2, len(sizes), rounds))
    for row, n in enumerate(sizes):
        for turn in range(rounds):
            some = data.train.take(rng.choice(len(data.train), n, replace=False))
            one[row, turn], many[row, turn] = by_split(some, turn), by_folds(some, turn)

    spread_one, spread_many = one.std(axis=1, ddof=1), many.std(axis=1, ddof=1)
    results = {
        "data": data.name,
        "folds": FOLDS,
        "rounds": rounds,
        "small": sizes[0],
        "large": sizes[-1],
        "held_out": sizes[0] // FOLDS,
        "one_small": float(spread_one[0]),
        "many_small": float(spread_many[0]),
        "one_large": float(spread_one[-1]),
        "many_large": float(spread_many[-1]),
        "least": float(one[0].min()),
        "most": float(one[0].max()),
        "ratio": float(np.mean(spread_one / spread_many)),
    }
    figure = lines(
        f"one split spreads {results['ratio']:.1f} times as far", ("images in all", sizes), "standard deviation",
        {"one split": spread_one, f"{FOLDS} folds": spread_many},
        across={"type": "log", "tickvals": sizes}, rangemode="tozero", **PERCENT,
    )  # fmt: skip
    caption = (
        f"How far the estimated accuracy moves when other images are collected, {rounds} times for each size: the "
        "lower the line, the more can one estimate be relied upon."
    )
    return Findings(results, (drawing("How far chance moves an estimate", caption, figure),))


def by_split(part: Part, seed: int) -> float:
    """Accuracy on a fifth of the images, after training on the others."""
    x, held, labels, truth = train_test_split(part.pixels, part.labels, test_size=1 / FOLDS, random_state=seed)
    return float(model().fit(x, labels).score(held, truth))


def by_folds(part: Part, seed: int) -> float:
    """The mean accuracy over five folds: each image is judged once, by a model that did not learn it."""
    folds = KFold(FOLDS, shuffle=True, random_state=seed)
    return float(cross_val_score(model(), part.pixels, part.labels, cv=folds).mean())


def model() -> KNeighborsClassifier:
    """What is judged."""
    return KNeighborsClassifier(3)


LESSON = Lesson(
    name="cross-validation",
    question="What does cross-validation gain, and what does it cost?",
    needs="mnist",
    seconds=7,
    run=run,
    method="""
        We collect {small} images of {data} and estimate how well [k nearest neighbours] learn from them, in two
        ways: by one split, four fifths to learn and one fifth to judge, and by [cross-validation] with {folds}
        [folds|fold], in which each image is judged once by a model that did not learn it. We do this {rounds} times
        with other images, and again with more, up to {large}. What is to be estimated is the same each time, so
        whatever the estimates differ by is chance.""",
    outcome="""
        With {small} images one split, which judges on {held_out} of them, gave anything from {least:.0%} to
        {most:.0%}; its [standard deviation] is {one_small:.1%}. That of {folds} folds is {many_small:.1%}. With
        {large} images the two are {one_large:.1%} and {many_large:.1%}. On average over sizes one split spreads
        {ratio:.1f} times as far.

        The price is {folds} trainings in place of one.""",
    claims=(
        Claim(
            "Folds spread less: {ratio:.1f} times less on average over sizes.",
            lambda results: results["ratio"] > 1.3,
        ),
        Claim(
            "More images help as well: one split spreads by {one_large:.1%} with {large}, by {one_small:.1%} with "
            "{small}.",
            lambda results: results["one_large"] < results["one_small"],
        ),
    ),
    conclusion="""
        Cross-validation uses every image to judge, and so says more from few images. It pays where images are
        few and training is quick. With tens of thousands of images one split judges on thousands, is sure to within
        a point, and costs one training. Folds are for choosing between models: the test set stays apart from them.""",
    try_next="""
        Run `tellapart cross-validate digits --model knn --folds 10`. How far do the ten folds differ, and what is
        the interval of their mean?""",
)
