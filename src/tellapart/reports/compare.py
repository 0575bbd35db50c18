"""Comparison of runs on the images that all of them were evaluated on, with paired tests."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

from tellapart.errors import RunError
from tellapart.judging import paired
from tellapart.judging.evaluation import Evaluation, judge
from tellapart.judging.groups import Groups, trust_warning
from tellapart.judging.paired import Comparison
from tellapart.reports.compared_runs import ComparedRun, SharedPredictions, read_compared_runs, shared_predictions
from tellapart.reports.report import EvaluatedSplit
from tellapart.training.run import Run

MAX_PAIRED = 4  # runs that are all tested against each other; more are tested against one of them


@dataclass(frozen=True, eq=False)
class ComparedSplit:
    """The evaluation of each run on the `n` images of a split that all share; `left_out` counts its other images."""

    split: EvaluatedSplit
    n: int
    evaluations: Mapping[str, Evaluation]
    left_out: Mapping[str, int]

    @property
    def groups(self) -> Groups | None:
        """The groups of the images, None where unknown."""
        return next(iter(self.evaluations.values())).groups


@dataclass(frozen=True)
class PairedTest:
    """A test of `run` against `against` on the test images; differences are the first's minus the second's.

    `p_value` is McNemar's with Holm's correction for the number of tests.
    """

    run: str
    against: str
    comparison: Comparison
    p_value: float


@dataclass(frozen=True, eq=False)
class RunComparison:
    """Runs side by side. All are tested against `reference`, or, where it is None, every two against each other."""

    runs: tuple[ComparedRun, ...]
    test: ComparedSplit
    validation: ComparedSplit | None
    pairs: tuple[PairedTest, ...]
    reference: str | None
    notes: tuple[str, ...]


def compare(*runs: Run | str | Path) -> RunComparison:
    """Compare finished runs, or the runs in folders, with paired tests: see `compare_runs`. Raises RunError."""
    return compare_runs([run.folder if isinstance(run, Run) else run for run in runs])


def compare_runs(folders: Sequence[str | Path]) -> RunComparison:
    """Compare finished runs on the images that all of them were evaluated on.

    Every two runs are tested against each other; of more than four, each against the one with the highest validation
    accuracy. Raises RunError where a folder is not a finished run, the classes differ or no test image is shared.
    """
    runs = read_compared_runs(folders)
    test, validation = shared_predictions(runs, "test"), shared_predictions(runs, "validation")
    if test is None:
        raise RunError(_no_shared_images(runs))
    validation_split = _compared_split(runs, "validation", validation) if validation else None
    reference = _reference(runs, validation_split) if len(runs) > MAX_PAIRED else None
    return RunComparison(
        runs,
        _compared_split(runs, "test", test),
        validation_split,
        _paired_tests(test, reference),
        reference,
        tuple(_notes(runs, test, validation)),
    )


def holm_correction(p_values: Sequence[float]) -> tuple[float, ...]:
    """Correct p-values for their number: the chance that any is below 0.05 without a difference is at most 5 %.

    The smallest is multiplied by their number, the next by one less and so on; none ends below a smaller one or above
    1. Source: Holm, A simple sequentially rejective multiple test procedure (1979).
    """
    corrected, largest = [0.0] * len(p_values), 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        largest = min(1.0, max(largest, (len(p_values) - rank) * p_values[index]))
        corrected[index] = largest
    return tuple(corrected)


def as_json(comparison: RunComparison) -> dict[str, object]:
    """Return `{"test": {"n", "left_out", "runs"}, "validation", "comparisons", "reference", "runs", "notes"}`."""
    return {
        "runs": {
            run.name: {"folder": str(run.folder), "recipe": dict(run.bundle.manifest.recipe)} for run in comparison.runs
        },
        "test": _split_json(comparison.test),
        "validation": _split_json(comparison.validation) if comparison.validation else None,
        "reference": comparison.reference,
        "comparisons": [_pair_json(pair) for pair in comparison.pairs],
        "notes": list(comparison.notes),
    }


def _compared_split(runs: Sequence[ComparedRun], split: EvaluatedSplit, shared: SharedPredictions) -> ComparedSplit:
    evaluations = {
        name: judge(predictions.labels, predictions.probs, runs[0].classes, groups=shared.groups)
        for name, predictions in shared.predictions.items()
    }
    return ComparedSplit(split, shared.n, evaluations, shared.left_out)


def _reference(runs: Sequence[ComparedRun], validation: ComparedSplit | None) -> str:
    """Choose the best on validation images: choosing it on test images would bias the tests that follow."""
    if validation is None:
        return runs[0].name
    ranked = validation.evaluations.items()
    return max(ranked, key=lambda item: (item[1].accuracy.value, -item[1].log_loss.value))[0]


def _paired_tests(test: SharedPredictions, reference: str | None) -> tuple[PairedTest, ...]:
    names = list(test.predictions)
    if reference is None:
        tested = [(later, earlier) for earlier, later in combinations(names, 2)]
    else:
        tested = [(name, reference) for name in names if name != reference]
    comparisons = []
    for name, other in tested:
        first, second = test.predictions[name], test.predictions[other]
        comparisons.append(paired.compare(first.labels, first.probs, second.probs, groups=test.groups))
    corrected = holm_correction([comparison.mcnemar.p_value for comparison in comparisons])
    return tuple(
        PairedTest(name, other, comparison, p_value)
        for (name, other), comparison, p_value in zip(tested, comparisons, corrected, strict=True)
    )


def _notes(runs: Sequence[ComparedRun], test: SharedPredictions, validation: SharedPredictions | None) -> Iterator[str]:
    if validation is None:
        yield "The runs share no validation image, so their validation metrics cannot be compared."
        if len(runs) > MAX_PAIRED:
            yield f"The others are therefore tested against {runs[0].name}, the first run on the command line."
    for split, shared in (("test", test), ("validation", validation)):
        left_out = {name: count for name, count in shared.left_out.items() if count} if shared else {}
        if shared and left_out:
            each = ", ".join(f"{count:,} of {count + shared.n:,} of {name}" for name, count in left_out.items())
            yield f"On {split} the {shared.n:,} images that all share with the same label are used; left out: {each}."
    if warning := trust_warning(None if test.groups is None else Groups.of(test.groups, test.n)):
        yield f"On test {warning}."
    if len({run.bundle.manifest.fingerprint for run in runs}) > 1:
        yield "The runs were made from different images, labels or splits, which may explain a difference."


def _no_shared_images(runs: Sequence[ComparedRun]) -> str:
    without = [str(run.folder) for run in runs if "test" not in run.predictions]
    if without:
        return f"{without[0]} was not evaluated on test images, which the comparison needs: train it with a test split"
    each = ", ".join(f"{run.name} has {len(run.predictions['test'].labels):,}" for run in runs)
    return f"the runs share no test image with the same label ({each}): compare runs of one data set and split"


def _split_json(split: ComparedSplit) -> dict[str, object]:
    runs = {name: evaluation.as_json() for name, evaluation in split.evaluations.items()}
    groups = {} if split.groups is None else {"groups": split.groups.count}
    return {"n": split.n, **groups, "left_out": dict(split.left_out), "runs": runs}


def _pair_json(pair: PairedTest) -> dict[str, object]:
    return {"run": pair.run, "against": pair.against, **pair.comparison.as_json(), "holm_p_value": pair.p_value}
