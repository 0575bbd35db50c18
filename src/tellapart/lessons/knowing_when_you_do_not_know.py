"""Can a classifier know when it does not know? It can doubt its answer, and it can find the image strange.

Sources: Hendrycks and Gimpel, A baseline for detecting misclassified and out-of-distribution examples (2017), for the
probability; Lee et al., A simple unified framework (2018), for the distance; Hein et al., Why ReLU networks yield
high-confidence predictions far away from the training data (2019), for why a probability is not enough.
"""

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from tellapart.judging.selective import find_threshold, is_accepted
from tellapart.lessons.drawing import PERCENT, bars, drawing, image_rows, lines
from tellapart.lessons.images import Part, images
from tellapart.lessons.lesson import Claim, Findings, Lesson, Settings
from tellapart.models.outliers import fit_outliers, outlier_threshold

KNOWN = 8  # the digits 0 to 7; 8 and 9 are never learned
KEPT = 0.9  # of the validation images that each way goes on answering
COVERAGES = np.linspace(0.5, 1, 51)
SHOWN = 6


def run(settings: Settings) -> Findings:
    """Refuse images by probability and by strangeness, at the same price, and see which of them each finds."""
    data = images("mnist", settings)
    rng = np.random.default_rng(settings.seed)
    learnable = known(data.train)
    n = min(settings.of(4_000, small=300), len(learnable) // 2)
    held_out = settings.of(2_000, small=300)
    train, held = learnable.take(slice(n)), learnable.take(slice(n, n + held_out))
    test = known(data.test).take(slice(settings.of(4_000, small=600)))

    model = LogisticRegression(C=1.0, max_iter=2_000).fit(train.pixels, train.labels)
    usual = fit_outliers(train.pixels, train.labels, seed=settings.seed)
    sure = find_threshold(held.labels, model.predict_proba(held.pixels), coverage=KEPT).threshold
    strange = outlier_threshold(usual.score(held.pixels), KEPT)

    said = model.predict_proba(test.pixels)
    right = said.argmax(axis=1) == test.labels
    height, width = test.images.shape[1:3]
    groups = {
        "right": test.pixels[right],
        "mistakes": test.pixels[~right],
        "unknown digits": data.test.pixels[data.test.labels >= KNOWN][: len(test)],
        "negatives": 1 - test.pixels,
        "noise": rng.random((500, height * width), np.float32),
    }
    caught: dict[str, list[float]] = {"by probability": [], "by strangeness": [], "by either": []}
    for pixels in groups.values():
        unsure, odd = ~is_accepted(model.predict_proba(pixels), sure), usual.score(pixels) > strange
        for refused, one in zip(caught.values(), (unsure, odd, unsure | odd), strict=True):
            refused.append(float(one.mean()))
    shares = dict(zip(groups, zip(*caught.values(), strict=True), strict=True))

    answered = is_accepted(said, sure)
    curves = {
        "the surest": accuracy_of_first(np.argsort(-said.max(axis=1), kind="stable"), right),
        "the least strange": accuracy_of_first(np.argsort(usual.score(test.pixels), kind="stable"), right),
    }
    results = {
        "data": data.name,
        "n": n,
        "test": len(test),
        "last": data.classes[KNOWN - 1],
        "unknown": " and ".join(data.classes[KNOWN:]),
        "kept": KEPT,
        "refused": 1 - KEPT,
        "threshold": sure,
        "all": float(right.mean()),
        "coverage": float(answered.mean()),
        "answered": float(right[answered].mean()),
        "usual": float(right[usual.score(test.pixels) <= strange].mean()),
        **{f"{short}_{way}": shares[name][place]
           for name, short in (("right", "right"), ("mistakes", "mistakes"), ("unknown digits", "foreign"),
                               ("negatives", "negatives"), ("noise", "noise"))
           for place, way in enumerate(("unsure", "odd", "either"))},
        "sure_of_negatives": float(model.predict_proba(groups["negatives"]).max(axis=1).mean()),
        "sure_of_noise": float(model.predict_proba(groups["noise"]).max(axis=1).mean()),
    }  # fmt: skip
    figures = (
        drawing(
            "Images to answer, and images to refuse",
            "Some of each group. To the model each is an array like any other, and it has a digit for all.",
            image_rows("all are answered with a digit",
                         {name: pixels[:SHOWN].reshape(-1, height, width) for name, pixels in groups.items()}),
        ),
        drawing(
            "Accuracy over coverage",
            "Read from right to left: the fewer images are answered, the more of the answers should be right. That "
            "is so when the doubtful ones are refused first; refusing the strange ones first does less.",
            lines(f"{results['all']:.1%} right of all, {results['answered']:.1%} of {results['coverage']:.0%}",
                  ("share answered", COVERAGES), "share right", curves, across=dict(PERCENT), **PERCENT),
        ),
        drawing(
            "What is refused",
            "The share of each group that is refused, when each way alone refuses about as many ordinary images. "
            "The uppermost bars are the price, the others the gain.",
            bars(f"{results['negatives_unsure']:.0%} and {results['negatives_odd']:.0%} of the negatives",
                 "share refused", list(groups), caught, form=".0%", range=[0, 1], **PERCENT),
        ),
    )  # fmt: skip
    return Findings(results, figures)


def known(part: Part) -> Part:
    """The images of the classes that are learned."""
    return part.take(np.flatnonzero(part.labels < KNOWN))


def accuracy_of_first(order: NDArray[np.integer], right: NDArray[np.bool_]) -> list[float]:
    """The share that is right of the first images in this order, for each coverage."""
    return [float(right[order[: round(coverage * len(order))]].mean()) for coverage in COVERAGES]


LESSON = Lesson(
    name="knowing-when-you-do-not-know",
    question="Can a classifier know when it does not know?",
    needs="mnist",
    seconds=2,
    run=run,
    method="""
        A [logistic regression] learns {n:,} images of {data}, but only of the digits 0 to {last}. It may refuse to
        answer in two ways: when the probability of its answer is below a [threshold], or when the [strangeness] of
        the image's pixels is above one. Both thresholds are set on other images so that each refuses
        {refused:.0%} of them. Then we show it {test:,} new images of these digits, and foreign ones: the digits
        {unknown}, negatives of the new images, and noise.""",
    outcome="""
        Answering all, the model is right on {all:.1%}. Refusing below a probability of {threshold:.2f} leaves a
        [coverage] of {coverage:.1%}, of which {answered:.1%} are right: {mistakes_unsure:.0%} of the mistakes are
        refused, and {right_unsure:.1%} of the right answers with them. Strangeness refuses {mistakes_odd:.0%} of the
        mistakes and leaves {usual:.1%} right.

        With foreign images it is otherwise. Probability refuses {negatives_unsure:.0%} of the negatives, for which
        the model is {sure_of_negatives:.0%} sure on average, and {noise_unsure:.0%} of the noise; strangeness refuses
        {negatives_odd:.0%} and {noise_odd:.0%}. Of the unknown digits, which are drawn like the others, probability
        refuses {foreign_unsure:.0%}, strangeness {foreign_odd:.0%}, and one or the other {foreign_either:.0%}.""",
    claims=(
        Claim("Refusing below a threshold makes answers better: {answered:.1%} of those given are right, {all:.1%} of "
              "all.",
              lambda results: results["answered"] > results["all"]),
        Claim("It is doubt that finds mistakes: {mistakes_unsure:.0%}, where strangeness finds {mistakes_odd:.0%}.",
              lambda results: results["mistakes_unsure"] > results["mistakes_odd"]),
        Claim("It is strangeness that finds negatives: {negatives_odd:.0%}, where doubt finds {negatives_unsure:.0%}.",
              lambda results: results["negatives_odd"] > max(0.95, results["negatives_unsure"] + 0.1)),
        Claim("Unknown digits are too like the known ones to be strange: doubt finds {foreign_unsure:.0%}, strangeness "
              "{foreign_odd:.0%}.",
              lambda results: results["foreign_unsure"] > results["foreign_odd"]),
        Claim("Together the two refuse more of them than each alone, {foreign_either:.0%}, and not all.",
              lambda results: max(results["foreign_unsure"], results["foreign_odd"]) < results["foreign_either"] < 1),
    ),
    conclusion="""
        A probability compares the known classes with each other and cannot say "none of these": far from all it
        knows, a model may be sure all the same. How strange an image is says nothing of which class it is. So both
        are needed, and neither is sure to find a class that is made like the known ones: for that the model needs
        images of others to learn from. `tellapart calibrate BUNDLE PHOTOS --reject-for accuracy=0.97` settles both,
        and the bundle says "I don't know" from then on.""",
    try_next="""
        Teach the model a further class of noise and negatives. Does it then refuse photos of clothes, which it has
        not seen either?""",
)  # fmt: skip
