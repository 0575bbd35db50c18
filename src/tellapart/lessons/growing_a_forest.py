"""What does a forest gain from each tree? And what it tells besides its answers.

Sources: Breiman, Random forests (2001), for out-of-bag scores and importances; Twala, Jones and Hand, Good methods for
coping with missing data in decision trees (2008), for sending what is missing to the better side of each question.
"""

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier

from tellapart.lessons.drawing import PERCENT, drawing, lines, square
from tellapart.lessons.images import Part, Pixels, images
from tellapart.lessons.lesson import Claim, Findings, Lesson, Settings

MISSING = (0.0, 0.2, 0.4, 0.6, 0.8)  # shares of pixels
LEARNED = 0.4  # the share that is missing while the second forest learns
ASKED = 0.6  # the share that the claims are about
DRAWS = 5


def run(settings: Settings) -> Findings:
    """Grow a forest tree by tree, ask it which pixels matter, and take pixels away."""
    data = images("mnist", settings)
    trees = settings.of(200, small=60)
    train = data.train.take(slice(settings.of(3_000, small=700)))
    test = data.test.take(slice(settings.of(3_000, small=700)))
    rng = np.random.default_rng(settings.seed)
    forest = grown(train.pixels, train, trees, settings)
    # Which training images each tree did not draw: bool (trees, n).
    spared = np.stack([np.bincount(drawn, minlength=len(train)) == 0 for drawn in forest.estimators_samples_])
    by_trees = growth(forest, test, np.ones((trees, len(test)), bool))
    out_of_bag = growth(forest, train, spared)

    weights = forest.feature_importances_
    used = np.argsort(-weights)[: np.count_nonzero(weights)]  # the most important first
    tenth = len(used) // 10
    lots = [score(forest, black(test.pixels, rng.permutation(used)[:tenth]), test) for _ in range(DRAWS)]

    second = grown(gaps(train.pixels, LEARNED, rng), train, trees, settings)
    with_gaps = [gaps(test.pixels, share, rng) for share in MISSING]
    means = train.pixels.mean(axis=0)
    curves = {
        "learned with gaps": [score(second, x, test) for x in with_gaps],
        "learned without": [score(forest, x, test) for x in with_gaps],
        "without, filled by means": [score(forest, np.where(np.isnan(x), means, x), test) for x in with_gaps],
    }
    asked = [curve[MISSING.index(ASKED)] for curve in curves.values()]
    results = {
        "data": data.name,
        "n": len(train),
        "test": len(test),
        "trees": trees,
        "one": by_trees[0],
        "ten": by_trees[9],
        "all": by_trees[-1],
        "best": max(by_trees),
        "bag": out_of_bag[-1],
        "left_out": float(spared.mean()),
        "pixels": len(weights),
        "used": len(used),
        "tenth": tenth,
        "without_top": score(forest, black(test.pixels, used[:tenth]), test),
        "without_lots": float(np.mean(lots)),
        "draws": DRAWS,
        "learned_missing": LEARNED,
        "asked": ASKED,
        "whole": curves["learned with gaps"][0],
        **dict(zip(("gaps_learned", "gaps_new", "gaps_means"), asked, strict=True)),
    }
    figures = (
        drawing(
            "Tree by tree",
            "The share told right by the mean of so many trees. The line out of bag asks of each training image only "
            "the trees that did not learn it, and needs no other images.",
            lines(f"{by_trees[0]:.1%} with one tree, {by_trees[-1]:.1%} with {trees}",
                  ("trees", range(1, trees + 1)), "accuracy", {"new images": by_trees, "out of bag": out_of_bag},
                  across={"type": "log", "tickvals": [1, 2, 5, 10, 20, 50, 100, 200]}, **PERCENT),
        ),
        drawing(
            "Which pixels the forest asks about",
            "The importance of each pixel, at its place in the image: the lighter, the more its questions helped to "
            "part the classes. Black ones are hardly ever asked about.",
            square(f"{len(used)} of {len(weights)} pixels are asked about",
                   (weights / weights.max()).reshape(test.images.shape[1:3]), height=300),
        ),
        drawing(
            "With pixels missing",
            f"The share told right when so many pixels of each new image are missing at random. One forest learned "
            f"from images of which {LEARNED:.0%} were missing, the other from whole ones.",
            lines(f"{asked[0]:.1%} and {asked[1]:.1%} with {ASKED:.0%} missing", ("share missing", MISSING), "accuracy",
                  curves, across=dict(PERCENT), **PERCENT),
        ),
    )  # fmt: skip
    return Findings(results, figures)


def grown(x: Pixels, train: Part, trees: int, settings: Settings) -> RandomForestClassifier:
    """A forest that learned these pixels."""
    return RandomForestClassifier(trees, random_state=settings.seed, n_jobs=2).fit(x, train.labels)


def growth(forest: RandomForestClassifier, part: Part, asked: NDArray[np.bool_]) -> list[float]:
    """The accuracy of the first tree, of the first two and so on, where an image asks some of the trees only."""
    x, said = part.pixels, np.zeros((len(part), len(forest.classes_)))
    scores, votes = [], np.zeros(len(part), int)
    for tree, asks in zip(forest.estimators_, asked, strict=True):
        said[asks] += tree.predict_proba(x[asks])
        votes += asks
        right = said.argmax(axis=1) == part.labels
        scores.append(float(right[votes > 0].mean()))
    return scores


def black(x: Pixels, which: NDArray[np.integer]) -> Pixels:
    """The same images with some pixels black in all of them."""
    return np.where(np.isin(np.arange(x.shape[1]), which), np.float32(0), x)


def gaps(x: Pixels, share: float, rng: np.random.Generator) -> Pixels:
    """The same images with so many pixels missing, others in each: not a number."""
    return np.where(rng.random(x.shape) < share, np.float32(np.nan), x)


def score(forest: RandomForestClassifier, x: Pixels, part: Part) -> float:
    """The accuracy on these pixels."""
    return float(forest.score(x, part.labels))


LESSON = Lesson(
    name="growing-a-forest",
    question="What does a forest gain from each tree?",
    needs="mnist",
    seconds=6,
    run=run,
    method="""
        A [random forest] of {trees} [decision trees|decision tree] learns {n:,} images of {data}. Each tree learns
        from a [bootstrap] sample, as many images drawn again and again from the same, which leaves some out. We let
        the first tree answer {test:,} new images, the first two, and so on; and let the trees answer each training
        image that they did not draw, [out of bag|out-of-bag score].

        Then we ask which pixels matter, paint the most important tenth black, and see what is lost. At last we let
        pixels be missing at random, in new images and, for a second forest, in {learned_missing:.0%} of what it
        learns.""",
    outcome="""
        One tree tells {one:.1%} right, ten {ten:.1%}, and all {trees} {all:.1%}: the first bring most. A tree left out
        {left_out:.1%} of the images on average, so each image is answered by about as many of the trees; their
        out-of-bag score, {bag:.1%}, says nearly what new images say.

        The forest asks about {used} of {pixels} pixels. With the {tenth} of the highest [importance] painted black it
        is right on {without_top:.1%}, with {tenth} by lot on {without_lots:.1%} (mean of {draws} draws).

        With {asked:.0%} of the pixels missing, the forest that learned with gaps is right on {gaps_learned:.1%}, the
        other on {gaps_new:.1%}, or on {gaps_means:.1%} when each gap is filled with its pixel's mean. On whole
        images the first is right on {whole:.1%}, the other on {all:.1%}.""",
    claims=(
        Claim("Many trees are better than one, {all:.1%} against {one:.1%}, and too many are not worse: the best was "
              "{best:.1%}, within a point.",
              lambda results: results["all"] > max(results["one"] + 0.1, results["best"] - 0.01)),
        Claim("The out-of-bag score agrees with new images within 3 points: {bag:.1%} and {all:.1%}.",
              lambda results: abs(results["bag"] - results["all"]) < 0.03),
        Claim("Important pixels matter: without them {without_top:.1%}, without as many by lot {without_lots:.1%}.",
              lambda results: results["without_top"] < results["without_lots"]),
        Claim("Who learned with gaps copes better where much is missing, {gaps_learned:.1%} against {gaps_new:.1%}, "
              "and worse where nothing is, {whole:.1%} against {all:.1%}.",
              lambda results: results["gaps_learned"] > results["gaps_new"] and results["whole"] < results["all"]),
        Claim("Filling gaps with means is worse here than leaving them: {gaps_means:.1%} against {gaps_new:.1%}.",
              lambda results: results["gaps_means"] < results["gaps_new"]),
    ),
    conclusion="""
        Take as many trees as you have time for: they bring less and less, and do not over-fit by their number. The
        out-of-bag score judges a forest without a [validation set]. Importances say what this forest asks about, not
        what an image is of. If much will be missing later, let it be missing while learning. In files of images
        nothing is: `tellapart train PHOTOS --model forest` grows a forest on what a network sees in them.""",
    try_next="""
        Put `max_samples=0.1` into the forest, so that each tree draws a tenth of the images. What becomes of one
        tree, of all of them, and of the out-of-bag score?""",
)  # fmt: skip
