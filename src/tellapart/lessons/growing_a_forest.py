"""Lesson: each further tree helps a forest less, and a forest also estimates its own accuracy and importances.

Sources: Breiman, Random forests (2001), for out-of-bag scores and importances; Twala, Jones and Hand, Good methods for
coping with missing data in decision trees (2008), for sending missing values to the better side of each split.
"""

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier

from tellapart.lessons.drawing import PERCENT, drawing, lines, square
from tellapart.lessons.images import Part, Pixels, images
from tellapart.lessons.lesson import Claim, Findings, Lesson, Settings

MISSING = (0.0, 0.2, 0.4, 0.6, 0.8)  # shares of pixels
TRAIN_MISSING = 0.4  # the share that is missing while the second forest is trained
TEST_MISSING = 0.6  # the share in test images that the claims refer to
DRAWS = 5


def run(settings: Settings) -> Findings:
    """Grow a forest tree by tree, compute the importance of pixels, and remove pixels."""
    data = images("mnist", settings)
    trees = settings.of(200, small=60)
    train = data.train.take(slice(settings.of(3_000, small=700)))
    test = data.test.take(slice(settings.of(3_000, small=700)))
    rng = np.random.default_rng(settings.seed)
    forest = grown(train.pixels, train, trees, settings)
    # The training images that each tree did not draw: bool (trees, n).
    out_of_sample = np.stack([np.bincount(drawn, minlength=len(train)) == 0 for drawn in forest.estimators_samples_])
    by_trees = growth(forest, test, np.ones((trees, len(test)), bool))
    out_of_bag = growth(forest, train, out_of_sample)

    importances = forest.feature_importances_
    used = np.argsort(-importances)[: np.count_nonzero(importances)]  # the most important first
    tenth = len(used) // 10
    random_scores = [score(forest, black(test.pixels, rng.permutation(used)[:tenth]), test) for _ in range(DRAWS)]

    second = grown(with_missing(train.pixels, TRAIN_MISSING, rng), train, trees, settings)
    test_pixels = [with_missing(test.pixels, share, rng) for share in MISSING]
    means = train.pixels.mean(axis=0)
    curves = {
        "trained with missing pixels": [score(second, x, test) for x in test_pixels],
        "trained without": [score(forest, x, test) for x in test_pixels],
        "trained without, filled with means": [
            score(forest, np.where(np.isnan(x), means, x), test) for x in test_pixels
        ],
    }
    at_share = [curve[MISSING.index(TEST_MISSING)] for curve in curves.values()]
    results = {
        "data": data.name,
        "n": len(train),
        "test": len(test),
        "trees": trees,
        "single": by_trees[0],
        "ten": by_trees[9],
        "all": by_trees[-1],
        "best": max(by_trees),
        "bag": out_of_bag[-1],
        "left_out": float(out_of_sample.mean()),
        "pixels": len(importances),
        "used": len(used),
        "tenth": tenth,
        "without_top": score(forest, black(test.pixels, used[:tenth]), test),
        "without_random": float(np.mean(random_scores)),
        "draws": DRAWS,
        "train_missing": TRAIN_MISSING,
        "test_missing": TEST_MISSING,
        "whole": curves["trained with missing pixels"][0],
        **dict(zip(("missing_trained", "missing_untrained", "missing_means"), at_share, strict=True)),
    }
    figures = (
        drawing(
            "Accuracy by number of trees",
            "Out of bag, each training image is predicted only by the trees that were not trained on it, so that no "
            "test images are needed.",
            lines(f"{by_trees[0]:.1%} with one tree, {by_trees[-1]:.1%} with {trees}",
                  ("trees", range(1, trees + 1)), "accuracy", {"test images": by_trees, "out of bag": out_of_bag},
                  across={"type": "log", "tickvals": [1, 2, 5, 10, 20, 50, 100, 200]}, **PERCENT),
        ),
        drawing(
            "The importance of each pixel",
            "The lighter a pixel, the more its splits helped to separate the classes. Black pixels are hardly used.",
            square(f"{len(used)} of {len(importances)} pixels are used",
                   (importances / importances.max()).reshape(test.images.shape[1:3]), height=300),
        ),
        drawing(
            "Accuracy with missing pixels",
            f"Pixels of the test images are missing at random. One forest was trained on images with "
            f"{TRAIN_MISSING:.0%} of the pixels missing, the other on whole ones.",
            lines(f"{at_share[0]:.1%} and {at_share[1]:.1%} with {TEST_MISSING:.0%} missing",
                  ("share missing", MISSING), "accuracy", curves, across=dict(PERCENT), **PERCENT),
        ),
    )  # fmt: skip
    return Findings(results, figures)


def grown(x: Pixels, train: Part, trees: int, settings: Settings) -> RandomForestClassifier:
    """Train a forest on these pixels."""
    return RandomForestClassifier(trees, random_state=settings.seed, n_jobs=2).fit(x, train.labels)


def growth(forest: RandomForestClassifier, part: Part, used: NDArray[np.bool_]) -> list[float]:
    """Return the accuracy of the first tree, of the first two, and so on; `used` selects the trees of each image."""
    x, probs = part.pixels, np.zeros((len(part), len(forest.classes_)))
    scores, votes = [], np.zeros(len(part), int)
    for tree, selected in zip(forest.estimators_, used, strict=True):
        probs[selected] += tree.predict_proba(x[selected])
        votes += selected
        correct = probs.argmax(axis=1) == part.labels
        scores.append(float(correct[votes > 0].mean()))
    return scores


def black(x: Pixels, indices: NDArray[np.integer]) -> Pixels:
    """Set some pixels of all images to black."""
    return np.where(np.isin(np.arange(x.shape[1]), indices), np.float32(0), x)


def with_missing(x: Pixels, share: float, rng: np.random.Generator) -> Pixels:
    """Set a random share of the pixels of each image to NaN."""
    return np.where(rng.random(x.shape) < share, np.float32(np.nan), x)


def score(forest: RandomForestClassifier, x: Pixels, part: Part) -> float:
    """Return the accuracy on these pixels."""
    return float(forest.score(x, part.labels))


LESSON = Lesson(
    name="growing-a-forest",
    question="What does a forest gain from each tree?",
    needs="mnist",
    seconds=6,
    run=run,
    method="""
        A [random forest] of {trees} [decision trees|decision tree] is trained on {n:,} images of {data}. Each tree is
        grown on a [bootstrap] sample, as many images drawn with replacement, which leaves some out. We predict
        {test:,} test images with the first tree, with the first two, and so on; and each training image with the trees
        that did not draw it, [out of bag|out-of-bag score].

        Then we compute which pixels are important, paint the most important tenth black, and measure the accuracy.
        Finally we let pixels be missing at random, in test images and, for a second forest, in {train_missing:.0%} of
        the training pixels.""",
    outcome="""
        One tree has an [accuracy] of {single:.1%}, ten have {ten:.1%}, and all {trees} have {all:.1%}: the first trees
        help most. A tree leaves out {left_out:.1%} of the images on average, so each image is predicted by about that
        share of the trees; their out-of-bag score, {bag:.1%}, is close to the test accuracy.

        The forest uses {used} of {pixels} pixels. With the {tenth} pixels of highest [importance] painted black its
        accuracy is {without_top:.1%}, with {tenth} random ones {without_random:.1%} (mean of {draws} draws).

        With {test_missing:.0%} of the pixels missing, the forest trained with missing pixels has an accuracy of
        {missing_trained:.1%}, the other {missing_untrained:.1%}, or {missing_means:.1%} when missing pixels are filled
        with their mean. On whole images the first has {whole:.1%}, the other {all:.1%}.""",
    claims=(
        Claim("Many trees are better than one, {all:.1%} against {single:.1%}, and too many do not harm: the best was "
              "{best:.1%}, within a point.",
              lambda results: results["all"] > max(results["single"] + 0.1, results["best"] - 0.01)),
        Claim("The out-of-bag score agrees with the test accuracy within 3 points: {bag:.1%} and {all:.1%}.",
              lambda results: abs(results["bag"] - results["all"]) < 0.03),
        Claim("Important pixels matter: without them {without_top:.1%}, without as many random ones "
              "{without_random:.1%}.",
              lambda results: results["without_top"] < results["without_random"]),
        Claim("Training with missing pixels helps where many are missing, {missing_trained:.1%} against "
              "{missing_untrained:.1%}, and harms where none are, {whole:.1%} against {all:.1%}.",
              lambda results: results["missing_trained"] > results["missing_untrained"]
              and results["whole"] < results["all"]),
        Claim("Filling missing pixels with means is worse here than leaving them: {missing_means:.1%} against "
              "{missing_untrained:.1%}.",
              lambda results: results["missing_means"] < results["missing_untrained"]),
    ),
    conclusion="""
        Use as many trees as you have time for: each helps less, but more trees do not overfit. The out-of-bag score
        evaluates a forest without a [validation set]. Importances describe what this forest uses, not what an image
        shows. If much will be missing later, let it be missing in training. In image files nothing is missing:
        `tellapart train PHOTOS --model forest` grows a forest on the features of a network.""",
    try_next="""
        Set `max_samples=0.1`, so that each tree draws a tenth of the images. How do the three accuracies change?""",
)  # fmt: skip
