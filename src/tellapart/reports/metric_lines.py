"""What a report says in numbers about a split: metrics, figures, baselines, how sure the classifier may be."""

from collections.abc import Iterator, Sequence

from tellapart.bundles.stored_predictions import StoredPredictions
from tellapart.judging.calibration import apply_temperature
from tellapart.judging.intervals import Estimate
from tellapart.judging.judge import Evaluation, judge
from tellapart.judging.per_class import ClassScores
from tellapart.reports import figures, report
from tellapart.reports.report import Drawing, Judged, Judging, Line, Table, Thumb, line
from tellapart.training.baselines import Baseline

MEANINGS = {
    "accuracy": ("accuracy", ".1%", "how many of the images it gets right"),
    "balanced_accuracy": ("balanced accuracy", ".1%", "the same when every class counts alike, rare or not"),
    "macro_precision": ("macro precision", ".1%", "of what it takes for a class, how much is right; mean over classes"),
    "weighted_precision": ("weighted precision", ".1%", "the same, each class counting by its number of images"),
    "macro_recall": ("macro recall", ".1%", "of the images of a class, how many are found; mean over classes"),
    "macro_f1": ("macro F1", ".1%", "precision and recall in one number; mean over classes"),
    "weighted_f1": ("weighted F1", ".1%", "the same, each class counting by its number of images"),
    "top_3": ("top-3 accuracy", ".1%", "how often the true class is among its three likeliest"),
    "roc_auc": ("ROC-AUC", ".3f", "how well it ranks images of a class before others: 1 is perfect, 0.5 is chance"),
    "pr_auc": ("PR-AUC", ".3f", "the same for rare classes: precision averaged over recall"),
    "matthews": ("Matthews correlation", ".3f", "agreement of answers and labels: 1 is perfect, 0 is chance"),
    "log_loss": ("log-loss", ".3f", "how surprised it is by the true labels, in nats: less is better"),
    "brier": ("Brier score", ".3f", "how far its probabilities are from the truth: less is better"),
    "ece": ("expected calibration error", ".1%", "by how much it is too sure, or not sure enough: less is better"),
}
SCORES = ("precision", "recall", "f1")


def judged(
    split: Judging,
    found: Evaluation,
    *,
    images: Sequence[Thumb] = (),
    baselines: Sequence[Baseline] = (),
    uses: int | None = None,
) -> Judged:
    """All that is said about one split."""
    return Judged(
        split=split,
        n=found.n,
        lines=tuple(metric_lines(found)),
        classes=found.classes,
        counts=tuple(tuple(row) for row in found.confusion.tolist()),
        images=tuple(images),
        per_class=_per_class(found),
        confusion=_drawing("confusion", "Confusion matrix", figures.confusion(found)),
        drawings=tuple(_drawings(found, baselines)),
        baselines=tuple(_baseline(one) for one in baselines if one.split == split),
        uses=uses,
    )


def metric_lines(found: Evaluation) -> Iterator[Line]:
    """Every metric with its interval and its meaning; those that are not defined are named as such."""
    for field, (name, form, meaning) in MEANINGS.items():
        if field != "top_3" or found.top_3 is not None:
            yield line(name, getattr(found, field), meaning, form=form)


def calibration(temperature: float, answers: StoredPredictions, after: Evaluation) -> report.Calibration:
    """How sure a classifier at this temperature may be, from what it says of the validation images."""
    before = judge(answers.labels, apply_temperature(answers.probs, 1 / temperature), after.classes)
    meaning = "the gap between how sure it is and how often it is right"
    return report.Calibration(
        temperature=temperature,
        before=line("expected calibration error before", before.ece, meaning),
        after=line("expected calibration error after", after.ece, meaning),
        drawings=(
            _drawing("reliability", "Reliability", figures.reliability({"before": before, "after": after})),
            _drawing("coverage", "Answering less, being right more", figures.coverage(after)),
        ),
    )


def _drawings(found: Evaluation, baselines: Sequence[Baseline]) -> Iterator[Drawing]:
    yield _drawing("per_class", "Class by class", figures.per_class(found))
    yield _drawing("roc", "ROC", figures.roc(found))
    yield _drawing("precision_recall", "Precision and recall", figures.precision_recall(found))
    yield _drawing("reliability", "Reliability", figures.reliability(found))
    if baselines:
        rivals = {one.name: one.accuracy for one in baselines}
        yield _drawing(
            "comparison", "Beside simpler classifiers", figures.comparison({"this run": found.accuracy, **rivals})
        )


def _drawing(name: str, title: str, figure: report.Figure) -> Drawing:
    return Drawing(title, figures.CAPTIONS[name], figure)


def _per_class(found: Evaluation) -> Table:
    rows = [(one.name, f"{one.n:,}", *(_share(_score(one, name)) for name in SCORES)) for one in found.per_class]
    return Table(("class", "images", "precision", "recall", "F1"), tuple(rows))


def _score(scores: ClassScores, name: str) -> Estimate | None:
    found: Estimate | None = getattr(scores, name)
    return found


def _share(estimate: Estimate | None) -> str:
    return "not defined" if estimate is None else f"{estimate.value:.1%} ({estimate.low:.0%} to {estimate.high:.0%})"


def _baseline(one: Baseline) -> report.Baseline:
    on = f"{one.name}, on {one.stands_on}" if one.stands_on != "nothing" else one.name
    meaning = f"fitted on {one.images:,} training images"
    return report.Baseline(
        name=on,
        accuracy=line("accuracy", one.accuracy, meaning),
        difference=line("this run is better by", one.difference, form="+.1%"),
        p_value="less than 0.0001" if one.p_value < 1e-4 else f"{one.p_value:.4f}",
    )
