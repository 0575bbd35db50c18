"""Lesson: low confidence finds mistakes, and a high OOD score finds foreign images; a classifier needs both.

Sources: Hendrycks and Gimpel, A baseline for detecting misclassified and out-of-distribution examples (2017), for the
confidence; Lee et al., A simple unified framework (2018), for the distance; Hein et al., Why ReLU networks yield
high-confidence predictions far away from the training data (2019), for why confidence is not enough.
"""

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from tellapart.judging.selective import find_threshold, is_accepted
from tellapart.lessons.drawing import PERCENT, bars, drawing, image_rows, lines
from tellapart.lessons.images import Part, images
from tellapart.lessons.lesson import Claim, Findings, Lesson, Settings
from tellapart.models.outliers import fit_outliers, outlier_threshold

KNOWN = 8  # the digits 0 to 7; 8 and 9 are unknown
ACCEPTED = 0.9  # of the validation images, by each criterion
COVERAGES = np.linspace(0.5, 1, 51)
COLUMNS = 6


def run(settings: Settings) -> Findings:
    """Refuse equally many known images by confidence and by OOD score, and compare what each refuses."""
    data = images("mnist", settings)
    rng = np.random.default_rng(settings.seed)
    known_train = known(data.train)
    n = min(settings.of(4_000, small=300), len(known_train) // 2)
    n_validation = settings.of(2_000, small=300)
    train, validation = known_train.take(slice(n)), known_train.take(slice(n, n + n_validation))
    test = known(data.test).take(slice(settings.of(4_000, small=600)))

    model = LogisticRegression(C=1.0, max_iter=2_000).fit(train.pixels, train.labels)
    scorer = fit_outliers(train.pixels, train.labels, seed=settings.seed)
    min_confidence = find_threshold(
        validation.labels, model.predict_proba(validation.pixels), coverage=ACCEPTED
    ).threshold
    max_ood_score = outlier_threshold(scorer.score(validation.pixels), ACCEPTED)

    probs = model.predict_proba(test.pixels)
    correct = probs.argmax(axis=1) == test.labels
    height, width = test.images.shape[1:3]
    groups = {
        "correct": test.pixels[correct],
        "mistakes": test.pixels[~correct],
        "unknown digits": data.test.pixels[data.test.labels >= KNOWN][: len(test)],
        "negatives": 1 - test.pixels,
        "noise": rng.random((500, height * width), np.float32),
    }
    refused: dict[str, list[float]] = {"by confidence": [], "by OOD score": [], "by either": []}
    for pixels in groups.values():
        unsure = ~is_accepted(model.predict_proba(pixels), min_confidence)
        outlier = scorer.score(pixels) > max_ood_score
        for rates, is_refused in zip(refused.values(), (unsure, outlier, unsure | outlier), strict=True):
            rates.append(float(is_refused.mean()))
    shares = dict(zip(groups, zip(*refused.values(), strict=True), strict=True))

    accepted = is_accepted(probs, min_confidence)
    curves = {
        "by confidence": accuracy_of_first(np.argsort(-probs.max(axis=1), kind="stable"), correct),
        "by OOD score": accuracy_of_first(np.argsort(scorer.score(test.pixels), kind="stable"), correct),
    }
    results = {
        "data": data.name,
        "n": n,
        "test": len(test),
        "last": data.classes[KNOWN - 1],
        "digits": " and ".join(data.classes[KNOWN:]),
        "refused": 1 - ACCEPTED,
        "threshold": min_confidence,
        "all": float(correct.mean()),
        "coverage": float(accepted.mean()),
        "accepted": float(correct[accepted].mean()),
        "inlier_accuracy": float(correct[scorer.score(test.pixels) <= max_ood_score].mean()),
        **{f"{name.split()[0]}_{criterion}": share for name in groups
           for criterion, share in zip(("unsure", "outlier", "either"), shares[name], strict=True)},
        "negatives_confidence": float(model.predict_proba(groups["negatives"]).max(axis=1).mean()),
    }  # fmt: skip
    figures = (
        drawing(
            "Images to accept and images to refuse",
            "Examples of each group. The classifier predicts a digit for each of them.",
            image_rows("a digit is predicted for all of them",
                         {name: pixels[:COLUMNS].reshape(-1, height, width) for name, pixels in groups.items()}),
        ),
        drawing(
            "Accuracy over coverage",
            "From right to left fewer images are accepted, and their accuracy should rise. It does when the least "
            "confident predictions are refused first; refusing the highest OOD scores first helps less.",
            lines(f"{results['all']:.1%} for all, {results['accepted']:.1%} at {results['coverage']:.0%} coverage",
                  ("coverage", COVERAGES), "accuracy", curves, across=dict(PERCENT), **PERCENT),
        ),
        drawing(
            "Refused images",
            "The share of each group that is refused, when each criterion alone refuses about equally many ordinary "
            "images. The uppermost bars are the price, the others the gain.",
            bars(f"{results['negatives_unsure']:.0%} and {results['negatives_outlier']:.0%} of the negatives",
                 "share refused", list(groups), refused, form=".0%", range=[0, 1], **PERCENT),
        ),
    )  # fmt: skip
    return Findings(results, figures)


def known(part: Part) -> Part:
    """Select the images of known classes."""
    return part.take(np.flatnonzero(part.labels < KNOWN))


def accuracy_of_first(order: NDArray[np.integer], correct: NDArray[np.bool_]) -> list[float]:
    """Return the accuracy on the first images in this order, for each coverage."""
    return [float(correct[order[: round(coverage * len(order))]].mean()) for coverage in COVERAGES]


LESSON = Lesson(
    name="knowing-when-you-do-not-know",
    question="Can a classifier know when it does not know?",
    needs="mnist",
    seconds=2,
    run=run,
    method="""
        A [logistic regression] is trained on {n:,} images of {data}, but only on the digits 0 to {last}. It may refuse
        to predict by two criteria: when its [confidence] is below a [threshold], or when the [OOD score] of the
        image's pixels is above one. Both thresholds are set on other images so that each refuses {refused:.0%} of
        them. Then we predict {test:,} test images of these digits, and foreign ones: the digits {digits}, negatives of
        the test images, and noise.""",
    outcome="""
        If all are accepted, the [accuracy] is {all:.1%}. Refusing predictions with a confidence below {threshold:.2f}
        leaves a [coverage] of {coverage:.1%}, with an accuracy of {accepted:.1%}: {mistakes_unsure:.0%} of the
        mistakes are refused, and {correct_unsure:.1%} of the correct predictions with them. The OOD score refuses
        {mistakes_outlier:.0%} of the mistakes and leaves an accuracy of {inlier_accuracy:.1%}.

        Foreign images are different. Confidence refuses {negatives_unsure:.0%} of the negatives, for which it is
        {negatives_confidence:.0%} on average, and {noise_unsure:.0%} of the noise; the OOD score refuses
        {negatives_outlier:.0%} and {noise_outlier:.0%}. Of the unknown digits, which look like the others, confidence
        refuses {unknown_unsure:.0%}, the OOD score {unknown_outlier:.0%}, and one or the other
        {unknown_either:.0%}.""",
    claims=(
        Claim("Refusing below a confidence threshold raises the accuracy: {accepted:.1%} on accepted images, {all:.1%}"
              " on all.",
              lambda results: results["accepted"] > results["all"]),
        Claim("Low confidence finds mistakes: {mistakes_unsure:.0%}, where the OOD score finds {mistakes_outlier:.0%}.",
              lambda results: results["mistakes_unsure"] > results["mistakes_outlier"]),
        Claim("The OOD score finds negatives: {negatives_outlier:.0%}, where low confidence finds "
              "{negatives_unsure:.0%}.",
              lambda results: results["negatives_outlier"] > max(0.95, results["negatives_unsure"] + 0.1)),
        Claim("Unknown digits are too similar to known ones for the OOD score: it finds {unknown_outlier:.0%}, low "
              "confidence {unknown_unsure:.0%}.",
              lambda results: results["unknown_unsure"] > results["unknown_outlier"]),
        Claim("Together the two refuse more of them than each alone, {unknown_either:.0%}, but not all.",
              lambda results: max(results["unknown_unsure"], results["unknown_outlier"])
              < results["unknown_either"] < 1),
    ),
    conclusion="""
        Probabilities compare the known classes with each other and cannot say "none of these": a model may be
        confident far away from its training images. The OOD score measures how unusual an image is and knows nothing
        about classes. So both are needed, and neither finds all images of a class that looks like the known ones: for
        that the model needs training images of others. `tellapart calibrate BUNDLE PHOTOS --reject-for accuracy=0.97`
        sets both thresholds, and from then on the bundle may answer "I don't know".""",
    try_next="""
        Add a class of noise and negatives to the training images. Does the model then refuse photos of clothes, which
        it has not seen either?""",
)  # fmt: skip
