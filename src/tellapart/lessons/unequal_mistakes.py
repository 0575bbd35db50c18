"""What if one mistake is worse than another? A cost for each kind moves the threshold, and accuracy cannot see it."""

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from tellapart.judging.costs import cheapest_classes, compare_decisions
from tellapart.lessons.drawing import drawing, lines, marked
from tellapart.lessons.images import images
from tellapart.lessons.lesson import Claim, Findings, Lesson, Settings

MISSED, ALARM = 20.0, 1.0  # what it costs to miss a 9, and to take another digit for one
COSTS = np.array([[0.0, ALARM], [MISSED, 0.0]])  # rows the truth, columns the answer: other, nine


def run(settings: Settings) -> Findings:
    """Find nines where missing one costs twenty times as much as a false alarm, at every threshold."""
    data = images("mnist", settings)
    train, test = (
        data.train.take(slice(settings.of(4_000, small=1_000))),
        data.test.take(slice(settings.of(8_000, small=700))),
    )
    truth = (test.labels == 9).astype(np.int64)
    model = LogisticRegression(C=1.0, max_iter=2_000).fit(train.pixels, train.labels == 9)
    probs = model.predict_proba(test.pixels)

    thresholds = np.linspace(0.005, 0.995, 199)
    costs = np.array([mean_cost(truth, probs[:, 1] > threshold) for threshold in thresholds])
    theory = ALARM / (ALARM + MISSED)  # where both answers have the same expected cost: Elkan 2001
    saved = compare_decisions(truth, probs, COSTS, seed=settings.seed)
    usual, by_cost = probs.argmax(axis=1), cheapest_classes(probs, COSTS)
    results = {
        "data": data.name,
        "n": len(train),
        "test": len(test),
        "nines": int(truth.sum()),
        "missed_cost": MISSED,
        "alarm_cost": ALARM,
        "theory": theory,
        "best": float(thresholds[costs.argmin()]),
        "usual_cost": saved.likeliest.value,
        "new_cost": saved.cheapest.value,
        "least_cost": float(costs.min()),
        "change": saved.difference.value,
        "change_high": saved.difference.high,
        "saving": 1 - saved.cheapest.value / saved.likeliest.value,
        "usual_right": float(np.mean(usual == truth)),
        "new_right": float(np.mean(by_cost == truth)),
        "usual_missed": missed(truth, usual),
        "new_missed": missed(truth, by_cost),
        "usual_alarms": alarms(truth, usual),
        "new_alarms": alarms(truth, by_cost),
    }
    figure = marked(
        lines(f"{results['saving']:.0%} saved", ("threshold", thresholds), "mean cost of an image", {"cost": costs},
              rangemode="tozero"),
        {"by the costs": theory, "usual": 0.5},
    )  # fmt: skip
    caption = (
        "What an image costs on average when a 9 is named above this probability: on the right nines are missed, on "
        "the very left everything is called a 9. One dashed line is where the costs say the threshold should be."
    )
    return Findings(results, (drawing("Cost at every threshold", caption, figure),))


def mean_cost(truth: NDArray[np.integer], answers: NDArray[np.bool_]) -> float:
    """What an image costs on average."""
    return float(COSTS[truth, answers.astype(int)].mean())


def missed(truth: NDArray[np.integer], answers: NDArray[np.integer]) -> int:
    """How many nines were not found."""
    return int(np.sum((truth == 1) & (answers == 0)))


def alarms(truth: NDArray[np.integer], answers: NDArray[np.integer]) -> int:
    """How many other digits were called a 9."""
    return int(np.sum((truth == 0) & (answers == 1)))


LESSON = Lesson(
    name="unequal-mistakes",
    question="What if one mistake is worse than another?",
    needs="mnist",
    seconds=2,
    run=run,
    method="""
        We look for nines, {nines} among {test:,} new images of {data}, with a [logistic regression] that learned
        {n:,}. A missed 9 costs {missed_cost:.0f}, a false alarm {alarm_cost:.0f}: the [cost matrix]. A 9 should then
        be named as soon as missing it costs more than a false alarm would, on average, which is above a probability
        of {alarm_cost:.0f} / ({alarm_cost:.0f} + {missed_cost:.0f}) = {theory:.3f} in place of 0.5. We try that
        [threshold], and all others.""",
    outcome="""
        Taking the likelier class misses {usual_missed} nines, raises {usual_alarms} false alarms, and costs
        {usual_cost:.3f} an image. Deciding by cost misses {new_missed}, raises {new_alarms}, and costs
        {new_cost:.3f}: {saving:.0%} less. Its accuracy is {new_right:.1%} in place of {usual_right:.1%}.

        Of all thresholds, {best:.3f} would have been cheapest on these images, with {least_cost:.3f}. The one that
        follows from the costs needed no look at them.""",
    claims=(
        Claim("Deciding by cost saves: {change:+.3f} an image, and below 0 with 95 % confidence.",
              lambda results: results["change_high"] < 0),
        Claim("It does so with a lower accuracy: {new_right:.1%} against {usual_right:.1%}.",
              lambda results: results["new_right"] < results["usual_right"]),
        Claim("The threshold from the costs brings three quarters or more of what the best one would: an image costs "
              "{new_cost:.3f}, where {least_cost:.3f} was possible.",
              lambda results: results["saving"] > 0.75 * (1 - results["least_cost"] / results["usual_cost"])),
    ),
    conclusion="""
        Decide by what mistakes cost, not by what is likeliest. A model need not be trained anew for it: its
        probabilities and the costs give the threshold, provided that the probabilities mean what they say, which is
        [calibration]. `tellapart evaluate BUNDLE PHOTOS --cost costs.csv` does this for any number of classes.""",
    try_next="""
        Make a false alarm as dear as a missed 9. Where does the threshold go, and what does deciding by cost then
        save?""",
)  # fmt: skip
