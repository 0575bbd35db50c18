"""A comparison as tables of text, and a sentence for each paired test that says what it means."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tellapart.judging.intervals import Estimate
from tellapart.reports.compare import Compared, Pair, Side
from tellapart.reports.compared_runs import ComparedRun
from tellapart.reports.report import Table

METRICS = {"accuracy": "accuracy", "macro_f1": "macro F1", "log_loss": "log-loss", "ece": "calibration error"}
DECIDED = 0.05
FEWEST = 30  # images: a bootstrap of fewer has seen too few mistakes to be spoken of
ONCE_IN_MOST = 1_000_000


def runs_table(contenders: Sequence[ComparedRun], side: Side) -> Table:
    """A row for each run: its model, the size of its images, and what it is worth on one split."""
    rows = [_run_row(one, side) for one in contenders]
    return Table(("run", "model", "size", *METRICS.values()), tuple(rows))


def pairs_table(compared: Compared) -> Table:
    """A row for each paired test; differences are the first run's minus the second's."""
    several = len(compared.pairs) > 1
    header = ("run against run", "accuracy, points", "log-loss", "only one right", "McNemar's p")
    rows = [(*_pair_row(pair), *((_p_words(pair.p_value),) if several else ())) for pair in compared.pairs]
    return Table((*header, *(("Holm's p",) if several else ())), tuple(rows))


def settings_table(contenders: Sequence[ComparedRun]) -> Table:
    """What the runs' recipes differ in, and how large their bundles are: a column for each run."""
    recipes = [one.bundle.facts.recipe for one in contenders]
    names = dict.fromkeys(name for recipe in recipes for name in recipe)
    differing = [name for name in names if any(recipe.get(name) != recipes[0].get(name) for recipe in recipes)]
    rows = [(name, *(_setting(recipe, name) for recipe in recipes)) for name in differing]
    sizes = (f"{_megabytes(one):,.1f} MB" for one in contenders)
    return Table(("", *(one.name for one in contenders)), (*rows, ("bundle", *sizes)))


def sentences(compared: Compared) -> Iterator[str]:
    """For each paired test what it says, for somebody who knows no statistics."""
    for pair in compared.pairs:
        yield _accuracy_sentence(pair, len(compared.pairs)) + _log_loss_sentence(pair)


def _run_row(one: ComparedRun, side: Side) -> tuple[str, ...]:
    shape = one.bundle.preprocessing
    size = f"{shape.height} px" if shape.height == shape.width else f"{shape.height} x {shape.width} px"
    found = side.evaluations[one.name]
    model = str(one.bundle.facts.recipe.get("model", "unknown"))
    return (one.name, model, size, *(_with_interval(name, getattr(found, name)) for name in METRICS))


def _with_interval(name: str, of: Estimate) -> str:
    if name == "log_loss":
        return f"{of.value:.3f} ({of.low:.3f} to {of.high:.3f})"
    return f"{of.value:.1%} ({100 * of.low:.1f} to {100 * of.high:.1f})"


def _pair_row(pair: Pair) -> tuple[str, ...]:
    found = pair.found
    return (
        f"{pair.run} against {pair.against}",
        _signed(_points(found.accuracy_difference), "+.1f"),
        _signed(found.log_loss_difference, "+.3f"),
        f"{found.mcnemar.only_a:,} : {found.mcnemar.only_b:,}",
        _p_words(found.mcnemar.p_value),
    )


def _signed(estimate: Estimate, form: str) -> str:
    return f"{estimate.value:{form}} ({estimate.low:{form}} to {estimate.high:{form}})"


def _p_words(p_value: float) -> str:
    return "< 0.0001" if p_value < 1e-4 else f"{p_value:.4f}"


def _setting(recipe: Mapping[str, Any], name: str) -> str:
    value = recipe.get(name)
    if isinstance(value, list | tuple):
        value = "; ".join(map(str, value))
    return "-" if value in (None, "") else str(value)


def _megabytes(one: ComparedRun) -> float:
    return sum(path.stat().st_size for path in one.bundle.folder.iterdir()) / 1e6


def _accuracy_sentence(pair: Pair, tests: int) -> str:
    difference, better, worse = _turned(_points(pair.found.accuracy_difference), pair.run, pair.against)
    interval = f"{difference.low:.1f} to {difference.high:.1f}"
    lead = f"{better} gets {difference.value:.1f} points more right than {worse} ({interval})"
    if pair.p_value < DECIDED:
        return f"{lead}, which chance would do {_once(pair.p_value, tests)}."
    unsettled = f"{pair.run} and {pair.against}: no difference in accuracy that {_images(pair)} could show"
    if difference.value == 0:
        return f"{unsettled}; they get equally many right ({interval} points)."
    return f"{unsettled}; {lead}, which chance would do {_once(pair.p_value, tests)}."


def _log_loss_sentence(pair: Pair) -> str:
    """Of the probabilities, where their interval leaves out 0; it is of this pair alone, corrected for no other."""
    difference, worse, better = _turned(pair.found.log_loss_difference, pair.run, pair.against)
    if pair.found.n < FEWEST or difference.low <= 0:
        return ""
    less = f"{difference.value:.3f} lower than {worse}'s ({difference.low:.3f} to {difference.high:.3f})"
    return f" The probabilities of {better} fit better: log-loss is {less}."


def _turned(difference: Estimate, first: str, second: str) -> tuple[Estimate, str, str]:
    """A difference of 0 or more, and whose number is the higher one and whose the lower."""
    if difference.value >= 0:
        return difference, first, second
    return Estimate(-difference.value, -difference.high, -difference.low), second, first


def _points(difference: Estimate) -> Estimate:
    return Estimate(100 * difference.value, 100 * difference.low, 100 * difference.high)


def _once(p_value: float, tests: int) -> str:
    """`once in 40 comparisons`; of several tests, in so many rounds of all of them."""
    if p_value >= 0.5:
        return "more often than not"
    rounds = "comparisons" if tests == 1 else f"rounds of {tests} comparisons"
    if p_value * ONCE_IN_MOST < 1:
        return f"less than once in {ONCE_IN_MOST:,} {rounds}"
    return f"once in {float(f'{1 / p_value:.2g}'):,.0f} {rounds}"


def _images(pair: Pair) -> str:
    return f"{pair.found.n:,} test image{'' if pair.found.n == 1 else 's'}"
