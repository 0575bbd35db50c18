"""Runs side by side on the images that all were judged on, and paired tests of whether one is better."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from pathlib import Path

from tellapart.errors import RunError
from tellapart.judging import paired
from tellapart.judging.judge import Evaluation, judge
from tellapart.judging.paired import Comparison
from tellapart.reports.compared_runs import Common, ComparedRun, common, read_compared_runs
from tellapart.reports.report import Judging

MOST_PAIRED = 4  # runs of which every two are tested; more are tested against one


@dataclass(frozen=True, eq=False)
class Side:
    """What each run is worth on the `n` images of one split that all have, and how many others each has."""

    split: Judging
    n: int
    evaluations: Mapping[str, Evaluation]
    left_out: Mapping[str, int]


@dataclass(frozen=True)
class Pair:
    """How `run` differs from `against` on the test images; differences are the first's minus the second's.

    `p_value` is McNemar's with Holm's correction for all the pairs.
    """

    run: str
    against: str
    found: Comparison
    p_value: float


@dataclass(frozen=True, eq=False)
class Compared:
    """Runs beside each other. `reference` is the one all others are tested against; None where every two are."""

    contenders: tuple[ComparedRun, ...]
    test: Side
    validation: Side | None
    pairs: tuple[Pair, ...]
    reference: str | None
    notes: tuple[str, ...]


def compare_runs(folders: Sequence[str | Path]) -> Compared:
    """Compare finished runs on the images that all were judged on.

    Every two are tested, or of more than four each against the one with the highest accuracy on validation. Raises
    RunError where a folder is no finished run, the classes differ or no test image is common to all.
    """
    contenders = read_compared_runs(folders)
    test, validation = common(contenders, "test"), common(contenders, "validation")
    if test is None:
        raise RunError(_nothing_common(contenders))
    chosen_on = _side(contenders, "validation", validation) if validation else None
    reference = _reference(contenders, chosen_on) if len(contenders) > MOST_PAIRED else None
    return Compared(
        contenders,
        _side(contenders, "test", test),
        chosen_on,
        _pairs(test, reference),
        reference,
        tuple(_notes(contenders, test, validation)),
    )


def holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """Correct p-values for how many there are, so that one of them is below 0.05 by chance 5 times in 100 at most.

    The least is multiplied by their number, the next by one less and so on, none below one before it or above 1.
    Source: Holm, A simple sequentially rejective multiple test procedure (1979).
    """
    corrected, so_far = [0.0] * len(p_values), 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        so_far = min(1.0, max(so_far, (len(p_values) - rank) * p_values[index]))
        corrected[index] = so_far
    return tuple(corrected)


def as_json(compared: Compared) -> dict[str, object]:
    """`{"test": {"n", "left_out", "runs"}, "validation", "comparisons", "reference", "runs", "notes"}`."""
    return {
        "runs": {
            one.name: {"folder": str(one.folder), "recipe": dict(one.bundle.facts.recipe)}
            for one in compared.contenders
        },
        "test": _side_json(compared.test),
        "validation": _side_json(compared.validation) if compared.validation else None,
        "reference": compared.reference,
        "comparisons": [_pair_json(pair) for pair in compared.pairs],
        "notes": list(compared.notes),
    }


def _side(contenders: Sequence[ComparedRun], split: Judging, found: Common) -> Side:
    classes = contenders[0].classes
    evaluations = {name: judge(said.labels, said.probs, classes) for name, said in found.answers.items()}
    return Side(split, found.n, evaluations, found.left_out)


def _reference(contenders: Sequence[ComparedRun], validation: Side | None) -> str:
    """The best on validation images: chosen by test images, it would be flattered by the tests it stands in."""
    if validation is None:
        return contenders[0].name
    ranked = validation.evaluations.items()
    return max(ranked, key=lambda item: (item[1].accuracy.value, -item[1].log_loss.value))[0]


def _pairs(test: Common, reference: str | None) -> tuple[Pair, ...]:
    names = list(test.answers)
    if reference is None:
        tested = [(later, earlier) for earlier, later in combinations(names, 2)]
    else:
        tested = [(name, reference) for name in names if name != reference]
    said = test.answers
    found = [paired.compare(said[one].labels, said[one].probs, said[other].probs) for one, other in tested]
    corrected = holm([one.mcnemar.p_value for one in found])
    return tuple(Pair(*names, one, p_value) for names, one, p_value in zip(tested, found, corrected, strict=True))


def _notes(contenders: Sequence[ComparedRun], test: Common, validation: Common | None) -> Iterator[str]:
    if validation is None:
        yield "No validation image is common to all, so their validation numbers cannot be compared."
        if len(contenders) > MOST_PAIRED:
            yield f"So {contenders[0].name}, which was named first, is what the others are tested against."
    for split, found in (("test", test), ("validation", validation)):
        left_out = {name: count for name, count in found.left_out.items() if count} if found else {}
        if found and left_out:
            each = ", ".join(f"{count:,} of {count + found.n:,} of {name}" for name, count in left_out.items())
            yield f"On {split} the {found.n:,} images that all have under the same label count; left out: {each}."
    if len({one.bundle.facts.fingerprint for one in contenders}) > 1:
        yield "They were made from different images, labels or splits, which may explain a difference."


def _nothing_common(contenders: Sequence[ComparedRun]) -> str:
    without = [str(one.folder) for one in contenders if "test" not in one.answers]
    if without:
        return f"{without[0]} was not judged on test images, which runs are compared on: train it with a test split"
    each = ", ".join(f"{one.name} has {len(one.answers['test'].labels):,}" for one in contenders)
    return f"no test image is common to all with the same label ({each}): compare runs of one data set and split"


def _side_json(side: Side) -> dict[str, object]:
    runs = {name: found.as_json() for name, found in side.evaluations.items()}
    return {"n": side.n, "left_out": dict(side.left_out), "runs": runs}


def _pair_json(pair: Pair) -> dict[str, object]:
    return {"run": pair.run, "against": pair.against, **asdict(pair.found), "holm_p_value": pair.p_value}
