"""Lesson: for a rare class accuracy shows nothing, ROC-AUC is too optimistic, and PR-AUC shows the cost of a find.

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
RARITIES = (1, 2, 5, 10, 20, 50, 100, 200)  # others per 8
SEARCHES = ("never an 8", "trained on all", "trained on balanced")
METRICS = ("accuracy", "ROC-AUC", "PR-AUC")
SHARE = 0.8  # the recall to reach

Scores = NDArray[np.float64]


def run(settings: Settings) -> Findings:
    """Search for eights that are as rare as fraud, in three ways, and evaluate by three metrics."""
    data = images("mnist", settings)
    n, rng = 20_000, np.random.default_rng(settings.seed)
    rarities = RARITIES if len(data.train) > n else RARITIES[:5]  # digits has too few images for more
    per_eight = rarities[-1]
    train = data.train.take(chosen(data.train.labels[:n], per_eight, rng))
    rest = joined(data.train.take(slice(n, None)), data.test)

    # Two training sets: all images, and the eights with only as many others.
    balanced = train.take(chosen(train.labels, 1, rng))
    scores = [np.zeros(len(rest)), trained(train, rest.pixels), trained(balanced, rest.pixels)]

    is_eight = rest.labels == WANTED
    test = chosen(rest.labels, per_eight, rng)
    never, plain, even = by_search = [metrics(is_eight[test], score[test]) for score in scores]
    # The predictions of the first regression stay the same, with fewer others.
    fewer = [chosen(rest.labels, rarity, rng) for rarity in rarities[:-1]]
    by_rarity = [*(metrics(is_eight[indices], scores[1][indices]) for indices in fewer), plain]

    results = {
        "data": data.name,
        "per_eight": per_eight,
        "eights": int(np.sum(train.labels == WANTED)),
        "others": int(np.sum(train.labels != WANTED)),
        "test": len(test),
        "test_eights": int(is_eight[test].sum()),
        "share": SHARE,
        "needed": int(np.ceil(SHARE * is_eight[test].sum())),
        "never_accuracy": never[0],
        **dict(zip(("plain_accuracy", "plain_roc", "plain_pr"), plain, strict=True)),
        **dict(zip(("even_accuracy", "even_roc", "even_pr"), even, strict=True)),
        **dict(zip(("common_accuracy", "common_roc", "common_pr"), by_rarity[0], strict=True)),
        "plain_recall": float(recall_score(is_eight[test], scores[1][test] > 0.5)),
        "even_recall": float(recall_score(is_eight[test], scores[2][test] > 0.5)),
        "plain_reviewed": images_to_review(is_eight[test], scores[1][test]),
        "even_reviewed": images_to_review(is_eight[test], scores[2][test]),
        "roc_difference": abs(plain[1] - even[1]),
        "pr_difference": plain[2] - even[2],
        "roc_change": abs(plain[1] - by_rarity[0][1]),
        "pr_change": by_rarity[0][2] - plain[2],
    }
    figures = (
        drawing(
            "Three searches by three metrics",
            "Longer bars are better. By accuracy, never predicting an 8 is hard to beat; by ROC-AUC, the regressions "
            "are similar; by PR-AUC they differ, and neither is near 1.",
            bars(f"PR-AUC {plain[2]:.2f} and {even[2]:.2f}", "score, 1 is perfect", SEARCHES,
                 {metric: list(values) for metric, *values in zip(METRICS, *by_search, strict=True)},
                 form=".3f", range=[0, 1]),
        ),
        drawing(
            "The same predictions, with rarer eights",
            "From left to right there are more other images per 8; the model and its predictions stay the same.",
            lines(f"PR-AUC {by_rarity[0][2]:.2f} becomes {plain[2]:.2f}", ("others per 8", rarities), "score",
                  {metric: list(values) for metric, *values in zip(METRICS, *by_rarity, strict=True)},
                  across={"type": "log", "tickvals": rarities}),
        ),
    )  # fmt: skip
    return Findings(results, figures)


def chosen(labels: NDArray[np.integer], per_eight: int, rng: np.random.Generator) -> NDArray[np.integer]:
    """Select as many images as possible with `per_eight` others for each 8, and return their indices."""
    order = rng.permutation(len(labels))
    wanted, others = order[labels[order] == WANTED], order[labels[order] != WANTED]
    count = min(len(wanted), len(others) // per_eight)
    return np.concatenate([wanted[:count], others[: count * per_eight]])


def joined(first: Part, second: Part) -> Part:
    """Concatenate two parts."""
    return Part(np.concatenate([first.images, second.images]), np.concatenate([first.labels, second.labels]))


def trained(part: Part, pixels: Pixels) -> Scores:
    """Train a regression on a part, and return the probability that each image is an 8."""
    model = LogisticRegression(C=1.0, max_iter=2_000).fit(part.pixels, part.labels == WANTED)
    score: Scores = model.predict_proba(pixels)[:, 1].astype(np.float64)
    return score


def metrics(is_eight: NDArray[np.bool_], score: Scores) -> tuple[float, float, float]:
    """Compute accuracy, ROC-AUC and PR-AUC of the probabilities of being an 8."""
    areas = roc_auc_score(is_eight, score), average_precision_score(is_eight, score)
    return float(accuracy_score(is_eight, score > 0.5)), float(areas[0]), float(areas[1])


def images_to_review(is_eight: NDArray[np.bool_], score: Scores) -> int:
    """Count the images, the most probable first, to review until the recall is reached."""
    hits = is_eight[np.argsort(-score, kind="stable")].cumsum()
    return int(np.searchsorted(hits, np.ceil(SHARE * hits[-1]))) + 1


LESSON = Lesson(
    name="rare-class",
    question="How is the search for a rare class evaluated?",
    needs="mnist",
    seconds=2,
    run=run,
    method="""
        Fraud is rare: one payment among hundreds. We make such a case from images of {data}, with {per_eight} others
        per 8. A [logistic regression] is trained on {eights} eights and all {others:,} others; another on the same
        eights and only as many others, drawn at random, so that both are equally frequent; a third classifier never
        predicts an 8. We evaluate them on {test:,} test images with {test_eights} eights, by [accuracy], [ROC-AUC] and
        [PR-AUC].

        Then we evaluate the first regression's predictions again, among fewer others per 8.""",
    outcome="""
        Never predicting an 8 has an accuracy of {never_accuracy:.2%}, the first regression {plain_accuracy:.2%}, the
        balanced one {even_accuracy:.2%}: by accuracy a search seems hardly useful, or worse than none, though the
        regressions find {plain_recall:.0%} and {even_recall:.0%} of the eights.

        ROC-AUC is {plain_roc:.3f} and {even_roc:.3f}, nearly perfect for both. PR-AUC is {plain_pr:.3f} and
        {even_pr:.3f}. In practice: to find {share:.0%} of the eights, which are {needed}, by reviewing images from the
        most probable on, the first regression needs {plain_reviewed:,} images, the second {even_reviewed:,}.

        Where eights are as frequent as others, the first regression's predictions have an accuracy of
        {common_accuracy:.1%}, a ROC-AUC of {common_roc:.3f} and a PR-AUC of {common_pr:.3f}.""",
    claims=(
        Claim("Accuracy prefers no search to one that finds {even_recall:.0%}: {never_accuracy:.2%} against "
              "{even_accuracy:.2%}.",
              lambda results: results["never_accuracy"] > results["even_accuracy"]),
        Claim("ROC-AUC is above 0.85 for both regressions: {plain_roc:.3f} and {even_roc:.3f}.",
              lambda results: min(results["plain_roc"], results["even_roc"]) > 0.85),
        Claim("PR-AUC prefers the first, by {pr_difference:.3f}; by ROC-AUC they differ less, by {roc_difference:.3f}.",
              lambda results: results["pr_difference"] > results["roc_difference"]),
        Claim("The same predictions lose {pr_change:.3f} of PR-AUC when eights get rare, while their accuracy rises "
              "from {common_accuracy:.1%} to {plain_accuracy:.1%}.",
              lambda results: results["pr_change"] > 0.05 and results["plain_accuracy"] > results["common_accuracy"]),
        Claim("ROC-AUC hardly changes: by {roc_change:.3f}, less than half as much.",
              lambda results: results["roc_change"] < 0.5 * results["pr_change"]),
    ),
    conclusion="""
        ROC-AUC compares one 8 with one other image, and does not depend on how many others there are. PR-AUC does: its
        [precision] is the share of finds that are correct, so use it when a class is rare, and compare it only where
        the class is equally rare. Balancing the training images made the model predict 8 more often, but did not
        improve its ranking; to find more, lower the [threshold]. `tellapart evaluate BUNDLE PHOTOS` reports all three,
        and with `--cost costs.csv` decides by the cost of mistakes.""",
    try_next="""
        Keep all images and give the eights more weight: `class_weight="balanced"` in the regression. Which of the
        three metrics change, and which hardly do?""",
)  # fmt: skip
