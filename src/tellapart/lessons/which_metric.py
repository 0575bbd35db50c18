"""Which metric? What accuracy hides: classes that are rare, and answers that are too sure of themselves."""

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeClassifier

from tellapart import Evaluation, judge
from tellapart.judging.intervals import Estimate
from tellapart.lessons.drawing import bars, drawing
from tellapart.lessons.images import images
from tellapart.lessons.lesson import Claim, Findings, Lesson, Settings
from tellapart.reports.report import Table

METRICS = {
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "macro_f1": "macro F1",
    "matthews": "Matthews",
    "roc_auc": "ROC-AUC",
    "pr_auc": "PR-AUC",
    "log_loss": "log-loss",
}
SHARPER = 6.0  # by how much the last model overstates its logits


def run(settings: Settings) -> Findings:
    """Judge four ways to answer "is it an 8?" by seven metrics."""
    data = images("mnist", settings)
    train, test = (
        data.train.take(slice(settings.of(4_000, small=600))),
        data.test.take(slice(settings.of(4_000, small=700))),
    )
    wanted, truth = train.labels == 8, (test.labels == 8).astype(np.int64)

    tree = DecisionTreeClassifier(max_depth=3, class_weight="balanced", random_state=settings.seed)
    model = LogisticRegression(C=1.0, max_iter=2_000).fit(train.pixels, wanted)
    logits = model.decision_function(test.pixels)
    scores = {
        "never": np.full(len(test), wanted.mean()),  # always the same: 8 is rare
        "shallow tree": tree.fit(train.pixels, wanted).predict_proba(test.pixels)[:, 1],
        "regression": certainty(logits),
        "the same, too sure": certainty(SHARPER * logits),
    }
    judged = {name: judge(truth, both(score), ("not 8", "8"), seed=settings.seed) for name, score in scores.items()}

    rows = tuple((title, *(cell(one, name) for one in judged.values())) for name, title in METRICS.items())
    never, shallow, honest, sure = judged.values()
    others = ("macro_f1", "matthews", "pr_auc")
    results = {
        "data": data.name,
        "n": len(train),
        "test": len(test),
        "eights": int(truth.sum()),
        "never": never.accuracy.value,
        "never_balanced": never.balanced_accuracy.value,
        "never_roc": value(never.roc_auc),
        "tree": shallow.accuracy.value,
        "tree_balanced": shallow.balanced_accuracy.value,
        "tree_roc": value(shallow.roc_auc),
        "tree_found": recall(shallow),
        "others": len(others),
        "agree": sum(value(getattr(shallow, name)) > value(getattr(never, name)) for name in others),
        "same": honest.accuracy.value,
        "sure": sure.accuracy.value,
        "same_loss": honest.log_loss.value,
        "sure_loss": sure.log_loss.value,
    }
    compared = list(METRICS)[:-1]
    figure = bars(
        "no metric says all", "score, 1 is perfect", [METRICS[name] for name in compared],
        {who: [value(getattr(one, name)) for name in compared] for who, one in list(judged.items())[:3]},
        form=".2f", range=[min(0.0, *(value(one.matthews) for one in judged.values())), 1],
    )  # fmt: skip
    caption = (
        "The longer a bar the better. By accuracy, never naming the rare class is hard to beat; by the others, not."
    )
    tables = {"All four by seven metrics": Table(("metric", *judged), rows)}
    return Findings(results, (drawing("The same answers, judged in six ways", caption, figure),), tables)


def both(score: NDArray[np.floating]) -> NDArray[np.float64]:
    """The probability of each of two classes, float64 (n, 2), from that of the second."""
    return np.stack([1 - score, score], axis=1).astype(np.float64)


def certainty(logits: NDArray[np.floating]) -> NDArray[np.float64]:
    """The probability 1 / (1 + exp(-logit)), written so that nothing overflows."""
    return np.exp(-np.logaddexp(0, -logits.astype(np.float64)))


def value(estimate: Estimate | None) -> float:
    """An estimate's value; 0 where it is not defined."""
    return estimate.value if estimate else 0.0


def cell(evaluation: Evaluation, metric: str) -> str:
    """A metric with its 95 % interval."""
    one: Estimate | None = getattr(evaluation, metric)
    return f"{one.value:.3f} ({one.low:.3f} to {one.high:.3f})" if one else "not defined"


def recall(evaluation: Evaluation) -> float:
    """The share of eights that were found."""
    return float(evaluation.confusion[1, 1] / evaluation.confusion[1].sum())


LESSON = Lesson(
    name="which-metric",
    question="Which metric, and what does accuracy hide?",
    needs="mnist",
    seconds=2,
    run=run,
    method="""
        The question is "is it an 8?", and {eights} of {test:,} new images of {data} are. Four ways to answer:
        never; a [decision tree] of three questions that was told to take both classes equally seriously; a [logistic
        regression]; and the same regression with its probabilities pushed towards 0 and 1. Each is judged by seven
        metrics.""",
    outcome="""
        By [accuracy], never saying 8 is worth {never:.1%} and the tree {tree:.1%}: the one that finds no 8 at all
        wins against one that finds {tree_found:.0%} of them. By [balanced accuracy], which counts both classes alike,
        they have {never_balanced:.1%} and {tree_balanced:.1%}; by [ROC-AUC] {never_roc:.2f} and {tree_roc:.2f}, where
        0.50 is guessing. [Macro F1|macro F1], the [Matthews correlation] and [PR-AUC] prefer the tree in {agree} of
        {others} cases.

        The regression and its too sure twin have the same accuracy, {same:.1%} and {sure:.1%}: no answer changed.
        Their [log-loss] is {same_loss:.3f} and {sure_loss:.3f}, the less the better: only it sees that the second is
        sure where it is wrong.""",
    claims=(
        Claim("Accuracy prefers who finds nothing: {never:.1%} against {tree:.1%}.",
              lambda results: results["never"] > results["tree"]),
        Claim("Balanced accuracy does not: {never_balanced:.1%} against {tree_balanced:.1%}.",
              lambda results: results["tree_balanced"] > results["never_balanced"] + 0.1),
        Claim("Accuracy cannot see false sureness: {same:.1%} and {sure:.1%}.",
              lambda results: results["same"] == results["sure"]),
        Claim("Log-loss can: {same_loss:.3f} and {sure_loss:.3f}.",
              lambda results: results["sure_loss"] > 1.2 * results["same_loss"]),
    ),
    conclusion="""
        Accuracy suits classes that are about equally common, mistakes that are equally bad, and answers that are
        taken without their probabilities. Where a class is rare, look at its [recall] and [precision], or at balanced
        accuracy; where somebody relies on probabilities, at log-loss. No metric says all: `tellapart evaluate` shows
        them side by side, each with its interval.""",
    try_next="""
        Which of the seven metrics would you show to somebody who must look at every image that is called an 8? And
        to somebody who must not miss one?""",
)  # fmt: skip
