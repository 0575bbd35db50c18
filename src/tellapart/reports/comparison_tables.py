"""A comparison as tables of text, and a sentence about the result of each paired test."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from tellapart.files import atomic_write
from tellapart.judging.intervals import Estimate
from tellapart.reports import figures
from tellapart.reports.compare import MAX_PAIRED, ComparedSplit, PairedTest, RunComparison
from tellapart.reports.compared_runs import ComparedRun
from tellapart.reports.figures.theme import shortened
from tellapart.reports.render import page_html
from tellapart.reports.report import Drawing, EvaluatedSplit, Table
from tellapart.reports.run_facts import read_learning_curve
from tellapart.text import counted, low_to_high, percent, signed

METRICS = {"accuracy": "accuracy", "macro_f1": "macro F1", "log_loss": "log-loss", "ece": "calibration error"}
SIGNIFICANCE_LEVEL = 0.05
MIN_IMAGES = 30  # a bootstrap of fewer contains too few mistakes to report
MAX_RARITY = 1_000_000  # comparisons


def runs_table(runs: Sequence[ComparedRun], split: ComparedSplit) -> Table:
    """List the runs: model, image size, and metrics on one split."""
    rows = [_run_row(run, split) for run in runs]
    return Table(("run", "model", "size", *METRICS.values()), tuple(rows))


def pairs_table(comparison: RunComparison) -> Table:
    """List the paired tests; differences are the first run's minus the second's."""
    several = len(comparison.pairs) > 1
    header = ("runs", "accuracy, points", "log-loss", "only one correct", "McNemar's p")
    rows = [(*_pair_row(pair), *((_format_p_value(pair.p_value),) if several else ())) for pair in comparison.pairs]
    return Table((*header, *(("Holm's p",) if several else ())), tuple(rows))


def settings_table(runs: Sequence[ComparedRun]) -> Table:
    """List the settings in which the recipes differ, and the sizes of the bundles, in a column for each run."""
    recipes = [run.bundle.manifest.recipe for run in runs]
    names = dict.fromkeys(name for recipe in recipes for name in recipe)
    differing = [name for name in names if any(recipe.get(name) != recipes[0].get(name) for recipe in recipes)]
    rows = [(name, *(_format_setting(recipe, name) for recipe in recipes)) for name in differing]
    sizes = (f"{_megabytes(run):,.1f} MB" for run in runs)
    return Table(("", *(run.name for run in runs)), (*rows, ("bundle", *sizes)))


def comparison_sentences(comparison: RunComparison) -> Iterator[str]:
    """Explain the result of each paired test to readers who know no statistics."""
    for pair in comparison.pairs:
        yield _accuracy_sentence(pair, len(comparison.pairs)) + _log_loss_sentence(pair)


def _run_row(run: ComparedRun, split: ComparedSplit) -> tuple[str, ...]:
    shape = run.bundle.preprocessing
    size = f"{shape.height} px" if shape.height == shape.width else f"{shape.height} x {shape.width} px"
    evaluation = split.evaluations[run.name]
    model = str(run.bundle.manifest.recipe.get("model", "unknown"))
    return (run.name, model, size, *(_with_interval(name, getattr(evaluation, name)) for name in METRICS))


def _with_interval(name: str, estimate: Estimate) -> str:
    if name == "log_loss":
        return f"{estimate.value:.3f} ({low_to_high(estimate.low, estimate.high, '.3f')})"
    return f"{percent(estimate.value)} ({low_to_high(100 * estimate.low, 100 * estimate.high, '.1f')})"


def _pair_row(pair: PairedTest) -> tuple[str, ...]:
    comparison = pair.comparison
    return (
        f"{pair.run} vs {pair.against}",
        _format_difference(_points(comparison.accuracy_difference), "+.1f", comparison.n),
        _format_difference(comparison.log_loss_difference, "+.3f", comparison.n),
        f"{comparison.mcnemar.only_a:,} : {comparison.mcnemar.only_b:,}",
        _format_p_value(comparison.mcnemar.p_value),
    )


def _format_difference(estimate: Estimate, form: str, n: int) -> str:
    return f"{signed(estimate.value, form)} ({low_to_high(estimate.low, estimate.high, form, n=n)})"


def _format_p_value(p_value: float) -> str:
    return "< 0.0001" if p_value < 1e-4 else f"{p_value:.4f}"


def _format_setting(recipe: Mapping[str, Any], name: str) -> str:
    value = recipe.get(name)
    if isinstance(value, list | tuple):
        value = "; ".join(map(str, value))
    return "-" if value in (None, "") else str(value)


def _megabytes(run: ComparedRun) -> float:
    return sum(path.stat().st_size for path in run.bundle.folder.iterdir()) / 1e6


def _accuracy_sentence(pair: PairedTest, tests: int) -> str:
    difference, better, worse = _positive(_points(pair.comparison.accuracy_difference), pair.run, pair.against)
    interval = low_to_high(difference.low, difference.high, ".1f")
    lead = f"The accuracy of {better} is {difference.value:.1f} points higher than that of {worse} ({interval})"
    chance = f"By chance alone, a difference at least this large would occur {_frequency(pair.p_value, tests)}."
    if pair.p_value < SIGNIFICANCE_LEVEL:
        return f"{lead}. {chance}"
    images = counted(pair.comparison.n, "test image")
    if pair.comparison.groups is not None:
        images += f" of {counted(pair.comparison.groups, 'group')}"
    undecided = f"{pair.run} and {pair.against}: no significant difference in accuracy on {images}"
    if difference.value == 0:
        return f"{undecided}; both have the same number correct ({interval} points)."
    return f"{undecided}. {lead}. {chance}"


def _log_loss_sentence(pair: PairedTest) -> str:
    """Compare the probabilities, where the interval excludes 0; it is not corrected for the number of tests."""
    difference, _, better = _positive(pair.comparison.log_loss_difference, pair.run, pair.against)
    if pair.comparison.n < MIN_IMAGES or difference.low <= 0:
        return ""
    interval = low_to_high(difference.low, difference.high, ".3f")
    return f" The probabilities of {better} are better: its log-loss is {difference.value:.3f} lower ({interval})."


def _positive(difference: Estimate, first: str, second: str) -> tuple[Estimate, str, str]:
    """Make a difference non-negative; returns it with the run of the higher value and that of the lower."""
    if difference.value >= 0:
        return difference, first, second
    return Estimate(-difference.value, -difference.high, -difference.low), second, first


def _points(difference: Estimate) -> Estimate:
    return Estimate(100 * difference.value, 100 * difference.low, 100 * difference.high)


def _frequency(p_value: float, tests: int) -> str:
    """Format a p-value as `once in 40 comparisons`; of several tests, in rounds of all of them."""
    if p_value >= 0.5:
        return "more often than not"
    rounds = "comparisons" if tests == 1 else f"rounds of {tests} comparisons"
    if p_value * MAX_RARITY < 1:
        return f"less than once in {MAX_RARITY:,} {rounds}"
    return f"once in {float(f'{1 / p_value:.2g}'):,.0f} {rounds}"


@dataclass(frozen=True)
class SplitSection:
    """The content of the section about one split, and about that split alone."""

    split: EvaluatedSplit
    n: int
    groups: int | None
    table: Table
    drawings: tuple[Drawing, ...]


def write_comparison(comparison: RunComparison, path: Path) -> None:
    """Write a comparison's page. Raises StorageError, and RunError where a run's curves cannot be read."""
    atomic_write(path, comparison_html(comparison, created=f"{datetime.now():%d %B %Y, %H:%M}"))


def comparison_html(comparison: RunComparison, *, created: str) -> str:
    """Render a comparison's page. Raises RunError where a run's curves cannot be read."""
    names = [run.name for run in comparison.runs]
    history = _history(comparison)
    return page_html(
        "comparison.html.jinja",
        title=f"{', '.join(names[:-1])} and {names[-1]}" if len(names) <= MAX_PAIRED else f"{len(names)} runs",
        created=created,
        sections=[
            ("better", "Which is better?", True),
            ("test", "Test", True),
            ("validation", "Validation", comparison.validation is not None),
            ("learning", "Training", history is not None),
            ("settings", "Settings", True),
            ("notes", "Notes", bool(comparison.notes)),
        ],
        comparison=comparison,
        sentences=list(comparison_sentences(comparison)),
        pairs=pairs_table(comparison),
        test=_split_section(comparison, comparison.test),
        validation=_split_section(comparison, comparison.validation) if comparison.validation else None,
        history=history,
        settings=settings_table(comparison.runs),
    )


def _split_section(comparison: RunComparison, split: ComparedSplit) -> SplitSection:
    groups = None if split.groups is None else split.groups.count
    return SplitSection(split.split, split.n, groups, runs_table(comparison.runs, split), tuple(_drawings(split)))


def _drawings(split: ComparedSplit) -> Iterator[Drawing]:
    accuracies = {name: evaluation.accuracy for name, evaluation in split.evaluations.items()}
    yield Drawing("Accuracy", figures.CAPTIONS["comparison"], figures.comparison(accuracies))
    if split.split == "test" and len(split.evaluations) <= MAX_PAIRED:  # more lines would be hard to distinguish
        figure = figures.reliability(split.evaluations)
        errors = (f"{shortened(name)} {evaluation.ece.value:.1%}" for name, evaluation in split.evaluations.items())
        figure.update_layout(title_text=f"Calibration error: {', '.join(errors)}")
        yield Drawing("Reliability", figures.CAPTIONS["reliability"], figure)


def _history(comparison: RunComparison) -> Drawing | None:
    curves = {run.name: curve for run in comparison.runs if (curve := read_learning_curve(run.folder))}
    return Drawing("Learning curves", figures.CAPTIONS["histories"], figures.histories(curves)) if curves else None
