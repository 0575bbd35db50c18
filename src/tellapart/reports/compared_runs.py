"""Runs to compare: read from their folders, and aligned to the same images and order of classes."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

import numpy as np

from tellapart.bundles.bundle import Bundle
from tellapart.bundles.manifest import MANIFEST
from tellapart.bundles.stored_predictions import StoredPredictions, read_predictions
from tellapart.errors import RunError
from tellapart.reports.report import EvaluatedSplit
from tellapart.studies.search.search_folder import FINAL

FINISHED = "metrics.json"
MAX_NAMED = 5  # classes in a sentence


@dataclass(frozen=True, eq=False)
class ComparedRun:
    """A finished run, sweep or search: its name in the comparison, its bundle, and its predictions by split.

    `classes` are in the order of the first run's, and so are the labels and probabilities of `predictions`.
    """

    name: str
    folder: Path
    bundle: Bundle
    classes: tuple[str, ...]
    predictions: Mapping[EvaluatedSplit, StoredPredictions]


@dataclass(frozen=True, eq=False)
class SharedPredictions:
    """The predictions of each run for the images of a split that all share, in one order, by name of the run.

    `left_out` counts the other images of each.
    """

    predictions: Mapping[str, StoredPredictions]
    left_out: Mapping[str, int]

    @property
    def n(self) -> int:
        """The number of images that all runs share."""
        return len(next(iter(self.predictions.values())).labels)

    @property
    def groups(self) -> tuple[str, ...] | None:
        """The group of each image, as the first run that knows them has stored it."""
        return next((stored.groups for stored in self.predictions.values() if stored.groups is not None), None)


def read_compared_runs(folders: Sequence[str | Path]) -> tuple[ComparedRun, ...]:
    """Read two finished runs or more, in the order given. Raises RunError and BundleError."""
    if len(folders) < 2:
        raise RunError(f"too few runs to compare: {len(folders)}, expected two or more. Name the folders of the runs")
    run_folders = [_run_folder(Path(folder)) for folder in folders]
    _require_different(run_folders)
    bundles = [Bundle.open(folder / "bundle") for folder in run_folders]
    classes = bundles[0].classes
    for folder, bundle in zip(run_folders, bundles, strict=True):
        _require_same_classes(run_folders[0], classes, folder, bundle.classes)
    names = _distinct_names([Path(folder) for folder in folders])
    return tuple(
        ComparedRun(name, folder, bundle, classes, dict(_read_predictions(folder, bundle.classes, classes)))
        for name, folder, bundle in zip(names, run_folders, bundles, strict=True)
    )


def shared_predictions(runs: Sequence[ComparedRun], split: EvaluatedSplit) -> SharedPredictions | None:
    """Find the images, by content and label, that all runs were evaluated on in a split; None where there are none.

    Of duplicates in a split as many are used as the run with the fewest has.
    """
    by_run = {run.name: run.predictions[split] for run in runs if split in run.predictions}
    rows = {name: _row_of_image(predictions) for name, predictions in by_run.items()}
    first = rows.get(runs[0].name, {})
    shared = [image for image in first if all(image in other for other in rows.values())]
    if len(by_run) < len(runs) or not shared:
        return None
    return SharedPredictions(
        {name: predictions.take([rows[name][image] for image in shared]) for name, predictions in by_run.items()},
        {name: len(predictions.labels) - len(shared) for name, predictions in by_run.items()},
    )


def _run_folder(folder: Path) -> Path:
    """Return the folder with the files of a run; a search keeps those of its final run in a subfolder."""
    if not folder.is_dir():
        raise RunError(f"{folder} is not a folder; expected one that tellapart train wrote: check its name")
    if (folder / MANIFEST).exists():
        raise RunError(
            f"{folder} is a bundle, which has no predictions to compare: name its run, the folder that contains it"
        )
    run_folder = folder / FINAL if (folder / FINAL / FINISHED).is_file() else folder
    if not (run_folder / FINISHED).is_file():
        raise RunError(f"{folder} is not a finished run: it has no {FINISHED}. Let the command that makes it finish")
    return run_folder


def _require_different(folders: Sequence[Path]) -> None:
    resolved = [folder.resolve() for folder in folders]
    for folder, times in Counter(resolved).items():
        if times > 1:
            raise RunError(f"{folder} was named {times} times, expected different runs: name each once")


def _require_same_classes(first: Path, classes: Sequence[str], other: Path, other_classes: Sequence[str]) -> None:
    if unshared := sorted({*classes} ^ {*other_classes}):
        raise RunError(
            f"{first} and {other} have different classes: only one of them has {', '.join(unshared[:MAX_NAMED])}. "
            "Compare runs with the same classes"
        )


def _distinct_names(folders: Sequence[Path]) -> list[str]:
    """Name each folder by the last part of its path, or by as many parts as make the names distinct."""
    parts = [folder.resolve().parts for folder in folders]
    names = (["/".join(part[-depth:]) for part in parts] for depth in count(1))
    return next(candidate for candidate in names if len({*candidate}) == len(candidate))


def _read_predictions(
    folder: Path, bundle_classes: tuple[str, ...], classes: tuple[str, ...]
) -> Iterator[tuple[EvaluatedSplit, StoredPredictions]]:
    splits: tuple[EvaluatedSplit, ...] = ("validation", "test")
    for split in splits:
        predictions = read_predictions(folder, split)
        if predictions is not None:
            _require_fit(folder, split, predictions, len(bundle_classes))
            yield split, _with_class_order(predictions, bundle_classes, classes)
    if not (folder / "answers").exists():
        raise RunError(f"{folder} has no predictions to compare: train it again with this version")


def _require_fit(folder: Path, split: str, predictions: StoredPredictions, classes: int) -> None:
    n, labels, probs = len(predictions.digests), predictions.labels, predictions.probs
    if labels.shape != (n,) or probs.shape != (n, classes) or np.any(labels // classes):
        raise RunError(
            f"the {split} predictions of {folder} have labels {labels.shape} and probabilities {probs.shape} for "
            f"{n:,} images and {classes} classes: they do not belong to its bundle, train it again"
        )


def _with_class_order(
    predictions: StoredPredictions, current: tuple[str, ...], classes: tuple[str, ...]
) -> StoredPredictions:
    """Renumber the classes of predictions from the `current` order to that of `classes`."""
    columns = [current.index(name) for name in classes]
    numbers = np.array([classes.index(name) for name in current], dtype=np.int32)
    return replace(predictions, labels=numbers[predictions.labels], probs=predictions.probs[:, columns])


def _row_of_image(predictions: StoredPredictions) -> dict[tuple[str, int, int], int]:
    """Map each image to its row: by content, label, and number among its duplicates."""
    duplicates: Counter[tuple[str, int]] = Counter()
    rows = {}
    for row, image in enumerate(zip(predictions.digests, predictions.labels.tolist(), strict=True)):
        rows[(*image, duplicates[image])] = row
        duplicates[image] += 1
    return rows
