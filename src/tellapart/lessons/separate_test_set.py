"""Why a separate test set? Because the best of many looks better than it is on the images that chose it."""

import numpy as np
from numpy.typing import NDArray

from tellapart.lessons.drawing import drawing, lines
from tellapart.lessons.images import Pixels, images
from tellapart.lessons.lesson import Claim, Findings, Lesson, Settings

COUNTS = (1, 2, 5, 10, 20, 50, 100)
PIXELS = 0.3  # the share of pixels that a candidate looks at
VALIDATION = 100  # images that choose


def run(settings: Settings) -> Findings:
    """Choose among more and more candidates on a few images, and judge the chosen one on others; many times over."""
    data = images("digits", settings)
    rounds = settings.of(200, small=60)
    rng = np.random.default_rng(settings.seed)
    every, labels = data.test.pixels, data.test.labels

    # Each candidate has its own random pixels, as if somebody tried a hundred ideas.
    right = np.stack([
        candidate_right(data.train.pixels, data.train.labels, every, labels, rng) for _ in range(COUNTS[-1])
    ])  # fmt: skip
    seen, honest = np.zeros((2, rounds, len(COUNTS)))
    for turn in range(rounds):
        order = rng.permutation(len(labels))
        chooses, judges = order[:VALIDATION], order[VALIDATION:]
        candidates = rng.permutation(len(right))
        for place, count in enumerate(COUNTS):
            scores = right[candidates[:count]][:, chooses].mean(axis=1)
            winner = candidates[scores.argmax()]
            seen[turn, place] = scores.max()
            honest[turn, place] = right[winner, judges].mean()

    promised, kept = seen.mean(axis=0), honest.mean(axis=0)
    gap = seen - honest
    results = {
        "data": data.name,
        "many": COUNTS[-1],
        "rounds": rounds,
        "validation": VALIDATION,
        "test": len(labels) - VALIDATION,
        "one_gap": float(gap[:, 0].mean()),
        "many_gap": float(gap[:, -1].mean()),
        "one_error": float(gap[:, 0].std(ddof=1) / np.sqrt(rounds)),
        "promised": float(promised[-1]),
        "kept": float(kept[-1]),
        "kept_one": float(kept[0]),
        "fooled": float(np.mean(gap[:, -1] > 0)),
    }
    figure = lines(
        f"promised too much: {results['many_gap']:.1%}", ("candidates tried", COUNTS), "accuracy",
        {"on the images that chose": promised, "on images that did not": kept},
        across={"type": "log", "tickvals": COUNTS}, tickformat=".0%",
    )  # fmt: skip
    caption = (
        "The more candidates are tried on the same images, the better the best of them looks there, and the further "
        "this is from what it does on other images: the distance between the lines is what choosing adds by luck."
    )
    return Findings(results, (drawing("What is promised and what is kept", caption, figure),))


def candidate_right(
    x: Pixels, labels: NDArray[np.integer], new: Pixels, truth: NDArray[np.integer], rng: np.random.Generator
) -> NDArray[np.bool_]:
    """Whether a candidate that looks at some pixels only tells each of the new images right."""
    some = rng.random(x.shape[1]) < PIXELS
    means = np.stack([x[labels == label][:, some].mean(axis=0) for label in np.unique(labels)])
    distances = ((new[:, np.newaxis, some] - means) ** 2).sum(axis=2)
    answers: NDArray[np.bool_] = distances.argmin(axis=1) == truth
    return answers


LESSON = Lesson(
    name="separate-test-set",
    question="Why a separate test set, when there is a validation set?",
    needs="digits",
    seconds=1,
    run=run,
    method="""
        We make {many} candidates: each compares images of {data} with the mean image of each class, but looks
        only at some pixels, drawn at random. We choose the one that is best on {validation} images, the [validation
        set], and ask how good it is on {test} others, a [test set]. We do so {rounds} times, each time with other
        images that choose, among 1 candidate, 2, 5 and so on.""",
    outcome="""
        With one candidate there is no choice, and the two scores agree: they differ by {one_gap:+.2%} on average. The
        best of {many} promises {promised:.1%} on the images that chose it and keeps {kept:.1%}: {many_gap:.1%}
        less. It promised too much in {fooled:.0%} of {rounds} times.""",
    claims=(
        Claim(
            "Where nothing is chosen nothing is promised too much: {one_gap:+.2%}, less than three standard errors of "
            "{one_error:.2%}.",
            lambda results: abs(results["one_gap"]) < 3 * results["one_error"],
        ),
        Claim(
            "The best of {many} promises more than 2 points too much: {many_gap:.1%}.",
            lambda results: results["many_gap"] > 0.02,
        ),
        Claim(
            "Choosing still helps: the best of {many} keeps {kept:.1%}, one that was not chosen {kept_one:.1%}.",
            lambda results: results["kept"] > results["kept_one"],
        ),
    ),
    conclusion="""
        A score that was used to choose is too good: among many candidates some are lucky, and choosing prefers luck.
        So a model is chosen on validation images and judged once on test images that had no part in any choice.
        Whoever looks at the test score and then changes something has made it a validation score. tellapart opens the
        test split once, at the end, and counts every further look.""",
    try_next="""
        Choose on 400 images in place of {validation} (`VALIDATION`). How much is then promised too much by the best
        of {many}?""",
)
