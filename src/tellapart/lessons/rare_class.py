"""How is a search for what is rare judged? Accuracy sees nothing, ROC-AUC flatters, PR-AUC says what a find costs.

Sources: Davis and Goadrich, The relationship between precision-recall and ROC curves (2006); Saito and Rehmsmeier, The
precision-recall plot is more informative than the ROC plot when evaluating binary classifiers on imbalanced datasets
(2015).
"""

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, average_precision_score, recall_score, roc_auc_score

from tellapart.lessons.drawing import bars, drawing, lines
from tellapart.lessons.images import Part, Pixels, images
from tellapart.lessons.lesson import Claim, Findings, Lesson, Settings

WANTED = 8
RARITIES = (1, 2, 5, 10, 20, 50, 100, 200)  # others to each 8
SEARCHES = ("never an 8", "learned as they come", "learned evened out")
METRICS = ("accuracy", "ROC-AUC", "PR-AUC")
SHARE = 0.8  # of the eights that somebody wants to have found

Scores = NDArray[np.float64]


def run(settings: Settings) -> Findings:
    """Look for eights that are as rare as fraud, in three ways, and judge the answers by three metrics."""
    data = images("mnist", settings)
    n, rng = 20_000, np.random.default_rng(settings.seed)
    rarities = RARITIES if len(data.train) > n else RARITIES[:5]  # digits have too few for more
    each = rarities[-1]
    train = data.train.take(chosen(data.train.labels[:n], each, rng))
    rest = joined(data.train.take(slice(n, None)), data.test)

    # Two ways to learn: from all images as they come, and from the eights and only as many others.
    even = train.take(chosen(train.labels, 1, rng))
    new = rest.pixels
    scores = [np.zeros(len(rest)), learned(train, new), learned(even, new)]

    found = rest.labels == WANTED
    kept = chosen(rest.labels, each, rng)
    never, plain, evened = judged = [metrics(found[kept], score[kept]) for score in scores]
    # What the first regression answers stays the same, while there are fewer others.
    fewer = [chosen(rest.labels, rarity, rng) for rarity in rarities[:-1]]
    along = [*(metrics(found[some], scores[1][some]) for some in fewer), plain]

    results = {
        "data": data.name,
        "each": each,
        "eights": int(np.sum(train.labels == WANTED)),
        "others": int(np.sum(train.labels != WANTED)),
        "new": len(kept),
        "new_eights": int(found[kept].sum()),
        "share": SHARE,
        "asked": int(np.ceil(SHARE * found[kept].sum())),
        "never_right": never[0],
        **dict(zip(("plain_right", "plain_roc", "plain_pr"), plain, strict=True)),
        **dict(zip(("even_right", "even_roc", "even_pr"), evened, strict=True)),
        **dict(zip(("common_right", "common_roc", "common_pr"), along[0], strict=True)),
        "plain_found": float(recall_score(found[kept], scores[1][kept] > 0.5)),
        "even_found": float(recall_score(found[kept], scores[2][kept] > 0.5)),
        "plain_looked": looked(found[kept], scores[1][kept]),
        "even_looked": looked(found[kept], scores[2][kept]),
        "roc_apart": abs(plain[1] - evened[1]),
        "pr_apart": plain[2] - evened[2],
        "roc_moved": abs(plain[1] - along[0][1]),
        "pr_moved": along[0][2] - plain[2],
    }
    figures = (
        drawing(
            "Three searches, judged in three ways",
            "The longer a bar the better. By accuracy no search at all is hard to beat, by ROC-AUC the two that search "
            "look alike; by PR-AUC they do not, and neither is near 1.",
            bars(f"PR-AUC {plain[2]:.2f} and {evened[2]:.2f}", "score, 1 is perfect", SEARCHES,
                 {metric: [one[place] for one in judged] for place, metric in enumerate(METRICS)},
                 form=".3f", range=[0, 1]),
        ),
        drawing(
            "The same answers, while eights get rarer",
            "From left to right there are more other images to each 8; the model and its answers stay the same.",
            lines(f"PR-AUC {along[0][2]:.2f} becomes {plain[2]:.2f}", ("others to each 8", rarities), "score",
                  {metric: [one[place] for one in along] for place, metric in enumerate(METRICS)},
                  across={"type": "log", "tickvals": rarities}),
        ),
    )  # fmt: skip
    return Findings(results, figures)


def chosen(labels: NDArray[np.integer], each: int, rng: np.random.Generator) -> NDArray[np.integer]:
    """Which images to take so that so many others come to each 8, as many of both as there are."""
    order = rng.permutation(len(labels))
    wanted, others = order[labels[order] == WANTED], order[labels[order] != WANTED]
    count = min(len(wanted), len(others) // each)
    return np.concatenate([wanted[:count], others[: count * each]])


def joined(first: Part, second: Part) -> Part:
    """Both together."""
    return Part(np.concatenate([first.images, second.images]), np.concatenate([first.labels, second.labels]))


def learned(part: Part, new: Pixels) -> Scores:
    """How probably each new image is an 8, to a regression that learned these."""
    model = LogisticRegression(C=1.0, max_iter=2_000).fit(part.pixels, part.labels == WANTED)
    score: Scores = model.predict_proba(new)[:, 1].astype(np.float64)
    return score


def metrics(found: NDArray[np.bool_], score: Scores) -> tuple[float, float, float]:
    """Accuracy, ROC-AUC and PR-AUC of the probabilities of being an 8."""
    areas = roc_auc_score(found, score), average_precision_score(found, score)
    return float(accuracy_score(found, score > 0.5)), float(areas[0]), float(areas[1])


def looked(found: NDArray[np.bool_], score: Scores) -> int:
    """How many images, the likeliest first, somebody must look at until the wanted share of eights is found."""
    hits = found[np.argsort(-score, kind="stable")].cumsum()
    return int(np.searchsorted(hits, np.ceil(SHARE * hits[-1]))) + 1


LESSON = Lesson(
    name="rare-class",
    question="How is the search for something rare judged?",
    needs="mnist",
    seconds=2,
    run=run,
    method="""
        Fraud is rare: one payment among hundreds. We make such a case of images of {data}: {each} others to each 8.
        A [logistic regression] learns {eights} eights and {others:,} others as they come; another learns the same
        eights and only as many others, drawn by lot, so that both are equally common; a third way is never to say 8.
        We judge them on {new:,} new images with {new_eights} eights, by [accuracy], [ROC-AUC] and [PR-AUC].

        Then we judge the first regression's answers again, among fewer others to each 8.""",
    outcome="""
        Never saying 8 is right on {never_right:.2%}, the first regression on {plain_right:.2%}, the evened out one on
        {even_right:.2%}: by accuracy a search is hardly worth its while, or worse than none, though these find
        {plain_found:.0%} and {even_found:.0%} of the eights.

        ROC-AUC says {plain_roc:.3f} and {even_roc:.3f}, which sounds nearly perfect for both. PR-AUC says
        {plain_pr:.3f} and {even_pr:.3f}. What this means to somebody who wants {share:.0%} of the eights, which are
        {asked}: going by the probabilities, the first has them after {plain_looked:,} images, the second after
        {even_looked:,}.

        Where eights are as common as others, the first regression's answers have an accuracy of {common_right:.1%}, a
        ROC-AUC of {common_roc:.3f} and a PR-AUC of {common_pr:.3f}.""",
    claims=(
        Claim("Accuracy prefers no search to one that finds {even_found:.0%}: {never_right:.2%} against "
              "{even_right:.2%}.",
              lambda results: results["never_right"] > results["even_right"]),
        Claim("ROC-AUC is above 0.85 for both searches: {plain_roc:.3f} and {even_roc:.3f}.",
              lambda results: min(results["plain_roc"], results["even_roc"]) > 0.85),
        Claim("PR-AUC prefers the first, by {pr_apart:.3f}; ROC-AUC sets them less apart, by {roc_apart:.3f}.",
              lambda results: results["pr_apart"] > results["roc_apart"]),
        Claim("The same answers lose {pr_moved:.3f} of PR-AUC when eights get rare, while their accuracy rises from "
              "{common_right:.1%} to {plain_right:.1%}.",
              lambda results: results["pr_moved"] > 0.05 and results["plain_right"] > results["common_right"]),
        Claim("ROC-AUC hardly notices: it moves by {roc_moved:.3f}, less than half as far.",
              lambda results: results["roc_moved"] < 0.5 * results["pr_moved"]),
    ),
    conclusion="""
        ROC-AUC compares one 8 with one other image, and does not know how many others there are. PR-AUC does: its
        [precision] is the share of finds that are real, so it is the one to look at when a class is rare, and to
        compare only where it is equally rare. Evening out the training images made the model say 8 more readily,
        but its list of suspects no better; to find more, lower the [threshold]. `tellapart evaluate BUNDLE
        PHOTOS` shows all three, and with `--cost costs.csv` decides by what a mistake costs.""",
    try_next="""
        Keep all images and give the eights more weight: `class_weight="balanced"` in the regression. Which of the
        three metrics changes, and which hardly does?""",
)  # fmt: skip
