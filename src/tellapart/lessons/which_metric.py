"""Lesson: accuracy hides rare classes and overconfident predictions; other metrics show them."""

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
SHARPER = 6.0  # the factor on the logits of the overconfident model


def run(settings: Settings) -> Findings:
    """Evaluate four classifiers for the digit 8 by seven metrics."""
    data = images("mnist", settings)
    train, test = (
        data.train.take(slice(settings.of(4_000, small=600))),
        data.test.take(slice(settings.of(4_000, small=700))),
    )
    is_eight, labels = train.labels == 8, (test.labels == 8).astype(np.int64)

    tree = DecisionTreeClassifier(max_depth=3, class_weight="balanced", random_state=settings.seed)
    model = LogisticRegression(C=1.0, max_iter=2_000).fit(train.pixels, is_eight)
    logits = model.decision_function(test.pixels)
    scores = {
        "never": np.full(len(test), is_eight.mean()),  # a constant: 8 is rare
        "shallow tree": tree.fit(train.pixels, is_eight).predict_proba(test.pixels)[:, 1],
        "regression": sigmoid(logits),
        "overconfident": sigmoid(SHARPER * logits),
    }
    evaluations = {
        name: judge(labels, both(score), ("not 8", "8"), seed=settings.seed) for name, score in scores.items()
    }

    rows = tuple((title, *(cell(scores, name) for scores in evaluations.values())) for name, title in METRICS.items())
    never, shallow, regression, overconfident = evaluations.values()
    others = ("macro_f1", "matthews", "pr_auc")
    results = {
        "data": data.name,
        "n": len(train),
        "test": len(test),
        "eights": int(labels.sum()),
        "never": never.accuracy.value,
        "never_balanced": never.balanced_accuracy.value,
        "never_roc": value(never.roc_auc),
        "tree": shallow.accuracy.value,
        "tree_balanced": shallow.balanced_accuracy.value,
        "tree_roc": value(shallow.roc_auc),
        "tree_recall": recall(shallow),
        "others": len(others),
        "agree": sum(value(getattr(shallow, name)) > value(getattr(never, name)) for name in others),
        "regression": regression.accuracy.value,
        "overconfident": overconfident.accuracy.value,
        "regression_loss": regression.log_loss.value,
        "overconfident_loss": overconfident.log_loss.value,
    }
    compared = list(METRICS)[:-1]
    figure = bars(
        "six metrics", "score, 1 is perfect", [METRICS[name] for name in compared],
        {title: [value(getattr(scores, name)) for name in compared] for title, scores in list(evaluations.items())[:3]},
        form=".2f", range=[min(0.0, *(value(scores.matthews) for scores in evaluations.values())), 1],
    )  # fmt: skip
    caption = "Longer bars are better. Only by accuracy is never predicting the rare class hard to beat."
    tables = {"Four classifiers by seven metrics": Table(("metric", *evaluations), rows)}
    return Findings(results, (drawing("Three classifiers by six metrics", caption, figure),), tables)


def both(score: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the probabilities of both classes, float64 (n, 2), from that of the second."""
    return np.stack([1 - score, score], axis=1).astype(np.float64)


def sigmoid(logits: NDArray[np.floating]) -> NDArray[np.float64]:
    """Compute 1 / (1 + exp(-logit)) without overflow."""
    return np.exp(-np.logaddexp(0, -logits.astype(np.float64)))


def value(estimate: Estimate | None) -> float:
    """Return the value of an estimate; 0 where it is not defined."""
    return estimate.value if estimate else 0.0


def cell(evaluation: Evaluation, metric: str) -> str:
    """Format a metric with its 95 % interval."""
    estimate: Estimate | None = getattr(evaluation, metric)
    return f"{estimate.value:.3f} ({estimate.low:.3f} to {estimate.high:.3f})" if estimate else "not defined"


def recall(evaluation: Evaluation) -> float:
    """Return the recall of the eights."""
    return float(evaluation.confusion[1, 1] / evaluation.confusion[1].sum())


LESSON = Lesson(
    name="which-metric",
    question="Which metric, and what does accuracy hide?",
    needs="mnist",
    seconds=2,
    run=run,
    method="""
        The question is "is it an 8?", and {eights} of {test:,} test images of {data} are. Four classifiers: one that
        never predicts an 8; a [decision tree] of depth three, trained with balanced class weights; a [logistic
        regression]; and the same regression with its probabilities pushed towards 0 and 1. Each is evaluated by seven
        metrics.""",
    outcome="""
        By [accuracy], never predicting an 8 scores {never:.1%} and the tree {tree:.1%}: a classifier that finds no 8
        at all beats one that finds {tree_recall:.0%} of them. By [balanced accuracy], which weights both classes
        equally, they score {never_balanced:.1%} and {tree_balanced:.1%}; by [ROC-AUC] {never_roc:.2f} and
        {tree_roc:.2f}, where 0.50 is guessing. [Macro F1|macro F1], the [Matthews correlation] and [PR-AUC] prefer the
        tree in {agree} of {others} cases.

        The regression and its overconfident copy have the same accuracy, {regression:.1%} and {overconfident:.1%}: no
        prediction changed. Their [log-loss] is {regression_loss:.3f} and {overconfident_loss:.3f}, lower is better:
        only this metric shows that the copy is confident where it is wrong.""",
    claims=(
        Claim("Accuracy prefers the classifier that finds nothing: {never:.1%} against {tree:.1%}.",
              lambda results: results["never"] > results["tree"]),
        Claim("Balanced accuracy does not: {never_balanced:.1%} against {tree_balanced:.1%}.",
              lambda results: results["tree_balanced"] > results["never_balanced"] + 0.1),
        Claim("Accuracy does not show overconfidence: {regression:.1%} and {overconfident:.1%}.",
              lambda results: results["regression"] == results["overconfident"]),
        Claim("Log-loss does: {regression_loss:.3f} and {overconfident_loss:.3f}.",
              lambda results: results["overconfident_loss"] > 1.2 * results["regression_loss"]),
    ),
    conclusion="""
        Accuracy suits classes of similar frequency, mistakes of equal cost, and predictions that are used without
        their probabilities. Where a class is rare, use its [recall] and [precision], or balanced accuracy; where
        probabilities are used, log-loss. No single metric is enough: `tellapart evaluate` reports them side by side,
        each with its interval.""",
    try_next="""
        Which of the seven metrics would you report to someone who must review every image that is predicted as 8? And
        to someone who must not miss one?""",
)  # fmt: skip
