"""The report of a run, from the files in its folder."""

from datetime import datetime
from pathlib import Path

from tellapart.bundles.evaluate import test_set_uses
from tellapart.bundles.stored_predictions import StoredPredictions, read_predictions
from tellapart.data.dataset import Dataset
from tellapart.errors import RunError, TellapartError
from tellapart.judging.evaluation import Evaluation, judge
from tellapart.reports import metric_lines
from tellapart.reports.explanation_section import explain_examples
from tellapart.reports.report import Calibration, DatasetFacts, EvaluatedSplit, Explanation, Report, SplitReport
from tellapart.reports.report_images import RunImages, example_thumbnails, open_run_images, predicted_thumbnails
from tellapart.reports.report_page import write_report
from tellapart.reports.run_facts import (
    command_line,
    draw_learning_curves,
    environment_values,
    ladder_notes,
    recipe_values,
    size_and_speed,
    skipped_files,
)
from tellapart.training.baselines import Baseline, baselines, left_out_baselines
from tellapart.training.evaluation_notes import evaluation_notes
from tellapart.training.prepare import draw_all_splits
from tellapart.training.run import Run
from tellapart.training.training_warnings import training_warnings

PAGE = "report.html"
SPLITS: tuple[EvaluatedSplit, ...] = ("validation", "test")


def report(run: Run | str | Path, *, source: str | None = None, dataset: Dataset | None = None) -> Path:
    """Write `report.html` into a run's folder. Returns its path.

    The images are those of `dataset`, opened but not yet split, else of `source`, else of the source that the run
    recorded. Raises RunError where the run is not finished, or has no predictions because an older version made it.
    """
    run = run if isinstance(run, Run) else Run.open(run)
    path = run.folder / PAGE
    images = open_run_images(run, source) if dataset is None else RunImages(draw_all_splits(dataset, run.recipe)[0])
    write_report(build_report(run, images), path)
    return path


def build_report(run: Run, images: RunImages) -> Report:
    """Collect the content of a run's report; without its images, what can be computed from the predictions."""
    predictions = {split: stored for split in SPLITS if (stored := read_predictions(run.folder, split))}
    if not predictions:
        raise RunError(
            f"{run.folder} has no predictions to report on: train it again with this version, and with images for "
            f"validation or test"
        )
    dataset, notes = images.dataset, [*ladder_notes(run), *map(_sentence, evaluation_notes(run))]
    if images.missing:
        notes.append(f"Images and baselines are missing: {images.missing}")
    fitted_baselines, failure = _baselines(run, dataset) if dataset else ((), None)
    if failure:
        notes.append(f"Baselines are missing: {failure}")
    if fitted_baselines:
        notes += [f"Baseline left out: {entry.name}: {entry.reason}." for entry in left_out_baselines(run)]
    evaluations = {
        split: judge(p.labels, p.probs, run.bundle.classes, groups=p.groups) for split, p in predictions.items()
    }
    return Report(
        title=run.folder.resolve().name,
        created=f"{datetime.now():%d %B %Y, %H:%M}",
        command=command_line(run),
        dataset=_dataset_facts(run, dataset),
        recipe=recipe_values(run),
        history=draw_learning_curves(run),
        splits=tuple(
            _split_report(run, split, predictions[split], evaluation, dataset, fitted_baselines)
            for split, evaluation in evaluations.items()
        ),
        calibration=_calibration(run, predictions, evaluations),
        explanations=_explanations(run, dataset, predictions),
        size_and_speed=tuple(size_and_speed(run, dataset)),
        environment=tuple(environment_values(run)),
        skipped=tuple(skipped_files(run)),
        notes=tuple(notes),
        warnings=tuple(map(str, training_warnings(run))),
    )


def _sentence(note: str) -> str:
    return f"{note[0].upper()}{note[1:]}."


def _split_report(
    run: Run,
    split: EvaluatedSplit,
    predictions: StoredPredictions,
    evaluation: Evaluation,
    dataset: Dataset | None,
    fitted_baselines: tuple[Baseline, ...],
) -> SplitReport:
    return metric_lines.split_report(
        split,
        evaluation,
        images=tuple(
            predicted_thumbnails(dataset, split, predictions, evaluation.classes, run.bundle.preprocessing.conversion)
        )
        if dataset
        else (),
        baselines=[baseline for baseline in fitted_baselines if baseline.split == split],
        uses=test_set_uses(run.folder) if split == "test" else None,
    )


def _calibration(
    run: Run, predictions: dict[EvaluatedSplit, StoredPredictions], evaluations: dict[EvaluatedSplit, Evaluation]
) -> Calibration | None:
    """Describe the calibration; None where the classifier has no temperature, or there are no validation images."""
    stored = run.bundle.manifest.calibration
    if not stored or "validation" not in predictions:
        return None
    return metric_lines.calibration_report(stored["temperature"], predictions["validation"], evaluations["validation"])


def _baselines(run: Run, dataset: Dataset) -> tuple[tuple[Baseline, ...], str | None]:
    """Fit the baselines, or return why that failed: a report without them is better than none."""
    try:
        return baselines(run, dataset), None
    except TellapartError as error:
        return (), str(error)


def _dataset_facts(run: Run, dataset: Dataset | None) -> DatasetFacts:
    recorded = run.environment["dataset"]
    return DatasetFacts(
        name=recorded["name"],
        fingerprint=recorded["fingerprint"],
        classes=run.bundle.classes,
        counts={name: tuple(dataset.counts(name).tolist()) for name in dataset.splits} if dataset else {},
        examples=tuple(example_thumbnails(dataset, run.bundle.preprocessing.conversion)) if dataset else (),
    )


def _explanations(
    run: Run, dataset: Dataset | None, predictions: dict[EvaluatedSplit, StoredPredictions]
) -> tuple[Explanation, ...]:
    split: EvaluatedSplit = "test" if "test" in predictions else "validation"
    return tuple(explain_examples(run.bundle, dataset, split, predictions[split])) if dataset else ()
