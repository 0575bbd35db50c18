"""The metrics of a split for a report: values with intervals and meanings, tables, figures, baselines, calibration."""

import math
from collections.abc import Iterator, Sequence

from tellapart.bundles.stored_predictions import StoredPredictions
from tellapart.judging.calibration import apply_temperature
from tellapart.judging.evaluation import Evaluation, judge
from tellapart.judging.intervals import Estimate
from tellapart.judging.per_class import ClassScores
from tellapart.reports import figures, report
from tellapart.reports.report import (
    Drawing,
    EvaluatedSplit,
    NamedValue,
    SplitReport,
    Table,
    Thumbnail,
    named_difference,
    named_estimate,
)
from tellapart.text import low_to_high, percent
from tellapart.training.baselines import Baseline

METRICS = {
    "accuracy": ("accuracy", ".1%", "share of images that are predicted correctly"),
    "balanced_accuracy": ("balanced accuracy", ".1%", "the same with equal weight for every class, common or rare"),
    "macro_precision": ("macro precision", ".1%", "share of the predictions of a class that are correct; class mean"),
    "weighted_precision": ("weighted precision", ".1%", "the same, each class weighted by its number of images"),
    "macro_recall": ("macro recall", ".1%", "share of the images of a class that are found; class mean"),
    "macro_f1": ("macro F1", ".1%", "precision and recall in one number; class mean"),
    "weighted_f1": ("weighted F1", ".1%", "the same, each class weighted by its number of images"),
    "top_3": ("top-3 accuracy", ".1%", "how often the true class is among the three most probable"),
    "roc_auc": ("ROC-AUC", ".3f", "how well images of a class rank above the others: 1 is perfect, 0.5 is chance"),
    "pr_auc": ("PR-AUC", ".3f", "mean precision over all recalls: more telling for rare classes, 1 is perfect"),
    "matthews": ("Matthews correlation", ".3f", "agreement of predictions and labels: 1 is perfect, 0 is chance"),
    "log_loss": ("log-loss", ".3f", "mean of -ln(probability of the true class), in nats: lower is better"),
    "brier": ("Brier score", ".3f", "squared distance of the probabilities from the true class: lower is better"),
    "ece": ("calibration error", ".1%", "mean gap between confidence and accuracy: lower is better"),
}
"""Name, format and meaning of each metric, by its field of `Evaluation`."""
MAX_CLASSES = 1_000  # in the table of scores by class: a longer one is unreadable
SCORES = ("precision", "recall", "f1")


def split_report(
    split: EvaluatedSplit,
    evaluation: Evaluation,
    *,
    images: Sequence[Thumbnail] = (),
    baselines: Sequence[Baseline] = (),
    uses: int | None = None,
) -> SplitReport:
    """Collect what a report shows about one split."""
    return SplitReport(
        split=split,
        n=evaluation.n,
        groups=None if evaluation.groups is None else evaluation.groups.count,
        warning=evaluation.warning,
        metrics=tuple(metric_lines(evaluation)),
        classes=evaluation.classes,
        counts=evaluation.cells,
        images=tuple(images),
        per_class=_per_class(evaluation),
        confusion=_drawing("confusion", "Confusion matrix", figures.confusion(evaluation)),
        drawings=tuple(_drawings(evaluation, baselines)),
        baselines=tuple(_baseline(baseline) for baseline in baselines if baseline.split == split),
        uses=uses,
    )


def metric_lines(evaluation: Evaluation) -> Iterator[NamedValue]:
    """Yield every metric with its interval and meaning; undefined ones are marked as such."""
    for field, (name, form, meaning) in METRICS.items():
        if field != "top_3" or evaluation.top_3 is not None:
            yield named_estimate(name, getattr(evaluation, field), meaning, form=form, n=evaluation.n)


def calibration_report(temperature: float, predictions: StoredPredictions, after: Evaluation) -> report.Calibration:
    """Describe the calibration of a classifier at this temperature, by its predictions of the validation images."""
    before = judge(
        predictions.labels,
        apply_temperature(predictions.probs, 1 / temperature),
        after.classes,
        groups=predictions.groups,
    )
    _, form, meaning = METRICS["ece"]
    return report.Calibration(
        temperature=temperature,
        before=named_estimate("calibration error before", before.ece, meaning, form=form),
        after=named_estimate("calibration error after", after.ece, meaning, form=form),
        log_losses=(
            named_estimate("log-loss before", before.log_loss, METRICS["log_loss"][2], form=".3f"),
            named_estimate("log-loss after", after.log_loss, METRICS["log_loss"][2], form=".3f"),
        ),
        worse=_worse(before.ece.value, after.ece.value),
        drawings=(
            _drawing("reliability", "Reliability", figures.reliability({"before": before, "after": after})),
            _drawing("coverage", "Accuracy over coverage", figures.coverage(after)),
        ),
    )


def _worse(before: float, after: float) -> str:
    if after <= before or percent(before) == percent(after):
        return ""
    return (
        f"The temperature lowers the log-loss, which it is fitted to, but raised the calibration error from "
        f"{percent(before)} to {percent(after)}: on few images that may be chance."
    )


def _drawings(evaluation: Evaluation, baselines: Sequence[Baseline]) -> Iterator[Drawing]:
    yield _drawing("per_class", "Scores by class", figures.per_class(evaluation))
    yield _drawing("roc", "ROC", figures.roc(evaluation))
    yield _drawing("precision_recall", "Precision and recall", figures.precision_recall(evaluation))
    yield _drawing("reliability", "Reliability", figures.reliability(evaluation))
    if baselines:
        accuracies = {"this run": evaluation.accuracy} | {baseline.name: baseline.accuracy for baseline in baselines}
        yield _drawing("comparison", "Comparison with baselines", figures.comparison(accuracies))


def _drawing(name: str, title: str, figure: report.Figure) -> Drawing:
    return Drawing(title, figures.CAPTIONS[name], figure)


def _per_class(evaluation: Evaluation) -> Table:
    """Lay out the scores of each class; of very many classes those with the lowest F1."""
    grouped = evaluation.groups is not None
    header = ("class", "images", *(["groups"] if grouped else []), "precision", "recall", "F1")
    shown = sorted(evaluation.per_class, key=_f1)[:MAX_CLASSES] if len(evaluation.classes) > MAX_CLASSES else None
    rows = [
        (scores.name, *_sizes(scores), *(_format_share(_score(scores, name)) for name in SCORES))
        for scores in shown or evaluation.per_class
    ]
    if more := len(evaluation.per_class) - len(rows):
        rows.append((f"and {more:,} with a higher F1, or without images", *("" for _ in header[1:])))
    return Table(header, tuple(rows))


def _f1(scores: ClassScores) -> float:
    return math.inf if scores.f1 is None else scores.f1.value


def _sizes(scores: ClassScores) -> list[str]:
    return [f"{scores.n:,}"] if scores.groups is None else [f"{scores.n:,}", f"{scores.groups:,}"]


def _score(scores: ClassScores, name: str) -> Estimate | None:
    estimate: Estimate | None = getattr(scores, name)
    return estimate


def _format_share(estimate: Estimate | None) -> str:
    if estimate is None:
        return "not defined"
    return f"{percent(estimate.value)} ({low_to_high(estimate.low, estimate.high, '.0%')})"


def _baseline(baseline: Baseline) -> report.Baseline:
    uses_features = baseline.stands_on != "nothing"
    return report.Baseline(
        name=f"{baseline.name}, on {baseline.stands_on}" if uses_features else baseline.name,
        accuracy=named_estimate("accuracy", baseline.accuracy, f"fitted on {baseline.images:,} training images"),
        difference=named_difference("this run is better by", baseline.difference),
        p_value="less than 0.0001" if baseline.p_value < 1e-4 else f"{baseline.p_value:.4f}",
    )
