"""Lesson: the cost of each kind of mistake determines the threshold, which accuracy ignores."""

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from tellapart.judging.costs import cheapest_classes, compare_decisions
from tellapart.lessons.drawing import drawing, lines, marked
from tellapart.lessons.images import images
from tellapart.lessons.lesson import Claim, Findings, Lesson, Settings

MISSED, ALARM = 20.0, 1.0  # the cost of a missed 9, and of another digit predicted as 9
COSTS = np.array([[0.0, ALARM], [MISSED, 0.0]])  # rows: true class, columns: predicted class; other, nine


def run(settings: Settings) -> Findings:
    """Detect nines where a missed one costs twenty times as much as a false alarm, at every threshold."""
    data = images("mnist", settings)
    train, test = (
        data.train.take(slice(settings.of(4_000, small=1_000))),
        data.test.take(slice(settings.of(8_000, small=700))),
    )
    labels = (test.labels == 9).astype(np.int64)
    model = LogisticRegression(C=1.0, max_iter=2_000).fit(train.pixels, train.labels == 9)
    probs = model.predict_proba(test.pixels)

    thresholds = np.linspace(0.005, 0.995, 199)
    costs = np.array([mean_cost(labels, probs[:, 1] > threshold) for threshold in thresholds])
    theory = ALARM / (ALARM + MISSED)  # where both predictions have the same expected cost: Elkan 2001
    comparison = compare_decisions(labels, probs, COSTS, seed=settings.seed)
    default, by_cost = probs.argmax(axis=1), cheapest_classes(probs, COSTS)
    results = {
        "data": data.name,
        "n": len(train),
        "test": len(test),
        "nines": int(labels.sum()),
        "missed_cost": MISSED,
        "alarm_cost": ALARM,
        "theory": theory,
        "best": float(thresholds[costs.argmin()]),
        "default_cost": comparison.likeliest.value,
        "new_cost": comparison.cheapest.value,
        "lowest_cost": float(costs.min()),
        "difference": comparison.difference.value,
        "difference_high": comparison.difference.high,
        "saving": 1 - comparison.cheapest.value / comparison.likeliest.value,
        "default_accuracy": float(np.mean(default == labels)),
        "new_accuracy": float(np.mean(by_cost == labels)),
        "default_missed": missed(labels, default),
        "new_missed": missed(labels, by_cost),
        "default_alarms": alarms(labels, default),
        "new_alarms": alarms(labels, by_cost),
    }
    figure = marked(
        lines(f"{results['saving']:.0%} saved", ("threshold", thresholds), "mean cost per image", {"cost": costs},
              rangemode="tozero"),
        {"from costs": theory, "default": 0.5},
    )  # fmt: skip
    caption = (
        "The mean cost of an image when a 9 is predicted above this probability: on the right nines are missed, on the "
        "far left everything is predicted as 9. The dashed lines are the threshold from the costs and the default."
    )
    return Findings(results, (drawing("Mean cost by threshold", caption, figure),))


def mean_cost(labels: NDArray[np.integer], predictions: NDArray[np.bool_]) -> float:
    """Return the mean cost of an image."""
    return float(COSTS[labels, predictions.astype(int)].mean())


def missed(labels: NDArray[np.integer], predictions: NDArray[np.integer]) -> int:
    """Count the missed nines."""
    return int(np.sum((labels == 1) & (predictions == 0)))


def alarms(labels: NDArray[np.integer], predictions: NDArray[np.integer]) -> int:
    """Count the other digits that were predicted as 9."""
    return int(np.sum((labels == 0) & (predictions == 1)))


LESSON = Lesson(
    name="unequal-mistakes",
    question="What if one mistake is worse than another?",
    needs="mnist",
    seconds=2,
    run=run,
    method="""
        We detect nines, {nines} among {test:,} test images of {data}, with a [logistic regression] trained on {n:,}
        images. A missed 9 costs {missed_cost:.0f}, a false alarm {alarm_cost:.0f}: the [cost matrix]. A 9 should then
        be predicted when missing it would cost more, on average, than a false alarm, which is above a probability of
        {alarm_cost:.0f} / ({alarm_cost:.0f} + {missed_cost:.0f}) = {theory:.3f} instead of 0.5. We try that
        [threshold], and all others.""",
    outcome="""
        Predicting the more probable class misses {default_missed} nines, raises {default_alarms} false alarms, and
        costs {default_cost:.3f} per image. Deciding by cost misses {new_missed}, raises {new_alarms}, and costs
        {new_cost:.3f}: {saving:.0%} less. Its accuracy is {new_accuracy:.1%} instead of {default_accuracy:.1%}.

        Of all thresholds, {best:.3f} would have been cheapest on these images, with {lowest_cost:.3f}. The threshold
        from the costs was chosen without looking at them.""",
    claims=(
        Claim("Deciding by cost saves: {difference:+.3f} per image, below 0 with 95 % confidence.",
              lambda results: results["difference_high"] < 0),
        Claim("Its accuracy is lower: {new_accuracy:.1%} against {default_accuracy:.1%}.",
              lambda results: results["new_accuracy"] < results["default_accuracy"]),
        Claim("The threshold from the costs saves at least three quarters of what the best one would: an image costs "
              "{new_cost:.3f}, where {lowest_cost:.3f} was possible.",
              lambda results: results["saving"] > 0.75 * (1 - results["lowest_cost"] / results["default_cost"])),
    ),
    conclusion="""
        Decide by the cost of mistakes, not by the most probable class. The model need not be trained again: its
        probabilities and the costs determine the threshold, provided that the probabilities are accurate, which is
        [calibration]. `tellapart evaluate BUNDLE PHOTOS --cost costs.csv` does this for any number of classes.""",
    try_next="""
        Make a false alarm as expensive as a missed 9. How does the threshold change, and how much does deciding by
        cost then save?""",
)  # fmt: skip
