"""From a run's folder to its report."""

from datetime import datetime
from pathlib import Path

from tellapart.bundles.stored_predictions import StoredPredictions, read_predictions
from tellapart.bundles.test_set_uses import test_set_uses
from tellapart.data.dataset import Dataset
from tellapart.errors import RunError, TellapartError
from tellapart.judging.judge import Evaluation, judge
from tellapart.reports import metric_lines
from tellapart.reports.explanation_section import looked_at
from tellapart.reports.ladder_history import recipe_of
from tellapart.reports.page import write_report
from tellapart.reports.report import Calibration, DatasetFacts, Explanation, Judged, Judging, Report
from tellapart.reports.report_images import Found, answered, examples, images_of
from tellapart.reports.run_facts import climbed, command_of, environment_of, history_of, size_and_speed, skipped_by
from tellapart.training.baselines import Baseline, baselines
from tellapart.training.prepare import draw_all_splits
from tellapart.training.run import Run

PAGE = "report.html"
SPLITS: tuple[Judging, ...] = ("validation", "test")


def report(run: Run, *, source: str | None = None, dataset: Dataset | None = None) -> Path:
    """Write `report.html` into a run's folder; returns its path.

    The images are those of `dataset`, opened but not yet divided, else of `source`, else of where they were. Raises
    RunError where the run is not finished or is from a tellapart that kept no answers.
    """
    path = run.folder / PAGE
    found = images_of(run, source) if dataset is None else Found(draw_all_splits(dataset, run.recipe)[0])
    write_report(gathered(run, found), path)
    return path


def gathered(run: Run, found: Found) -> Report:
    """All that a page says about a run; without its images what can be said in metric_lines."""
    answers = {split: said for split in SPLITS if (said := read_predictions(run.folder, split))}
    if not answers:
        raise RunError(
            f"{run.folder} has no answers to report on: train it again, with this tellapart and with images for "
            f"validation or test"
        )
    dataset, notes = found.dataset, list(climbed(run))
    if found.missing:
        notes.append(f"Images and baselines are missing: {found.missing}")
    rivals, trouble = _baselines(run, dataset) if dataset else ((), None)
    if trouble:
        notes.append(f"Baselines are missing: {trouble}")
    worth = {split: judge(said.labels, said.probs, run.bundle.classes) for split, said in answers.items()}
    return Report(
        title=run.folder.resolve().name,
        created=f"{datetime.now():%d %B %Y, %H:%M}",
        command=command_of(run),
        dataset=_dataset_facts(run, dataset),
        recipe=recipe_of(run),
        history=history_of(run),
        judged=tuple(_judged(run, split, answers[split], one, dataset, rivals) for split, one in worth.items()),
        calibration=_calibration(run, answers, worth),
        explanations=_explanations(run, dataset, answers),
        size_and_speed=tuple(size_and_speed(run, dataset)),
        environment=tuple(environment_of(run)),
        refused_or_skipped=tuple(skipped_by(run)),
        notes=tuple(notes),
    )


def _judged(
    run: Run,
    split: Judging,
    answers: StoredPredictions,
    worth: Evaluation,
    dataset: Dataset | None,
    rivals: tuple[Baseline, ...],
) -> Judged:
    return metric_lines.judged(
        split,
        worth,
        images=tuple(answered(dataset, split, answers, worth.classes)) if dataset else (),
        baselines=[one for one in rivals if one.split == split],
        uses=test_set_uses(run.folder) if split == "test" else None,
    )


def _calibration(
    run: Run, answers: dict[Judging, StoredPredictions], worth: dict[Judging, Evaluation]
) -> Calibration | None:
    """None where the classifier has no temperature, or no validation images that tell what it is worth."""
    facts = run.bundle.facts.calibration
    if not facts or "validation" not in answers:
        return None
    return metric_lines.calibration(facts["temperature"], answers["validation"], worth["validation"])


def _baselines(run: Run, dataset: Dataset) -> tuple[tuple[Baseline, ...], str | None]:
    """The baselines, or why there are none: weights may be gone, and the report is worth having without."""
    try:
        return baselines(run, dataset), None
    except TellapartError as error:
        return (), str(error)


def _dataset_facts(run: Run, dataset: Dataset | None) -> DatasetFacts:
    facts = run.environment["dataset"]
    counts = {name: tuple(dataset.counts(name).tolist()) for name in dataset.splits} if dataset else {}
    return DatasetFacts(
        name=facts["name"],
        fingerprint=facts["fingerprint"],
        classes=run.bundle.classes,
        counts=counts,
        examples=tuple(examples(dataset)) if dataset else (),
    )


def _explanations(
    run: Run, dataset: Dataset | None, answers: dict[Judging, StoredPredictions]
) -> tuple[Explanation, ...]:
    split: Judging = "test" if "test" in answers else "validation"
    return tuple(looked_at(run.bundle, dataset, split, answers[split])) if dataset else ()
