"""Runs that are to be compared: read from their folders, and brought to the same images and order of classes."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

import numpy as np

from tellapart.bundles.bundle import MANIFEST, Bundle
from tellapart.bundles.stored_predictions import StoredPredictions, read_predictions
from tellapart.errors import RunError
from tellapart.reports.report import Judging
from tellapart.studies.search.folder import FINAL

FINISHED = "metrics.json"
NAMED = 5  # classes in a sentence


@dataclass(frozen=True, eq=False)
class ComparedRun:
    """A finished run, sweep or search: its name among the others, its classifier, and its answers by split.

    `classes` are in the order of the first run's, and so are the labels and probabilities of `answers`.
    """

    name: str
    folder: Path
    bundle: Bundle
    classes: tuple[str, ...]
    answers: Mapping[Judging, StoredPredictions]


@dataclass(frozen=True, eq=False)
class Common:
    """By name, what each said of the images that all have in a split, in one order, and how many others it has."""

    answers: Mapping[str, StoredPredictions]
    left_out: Mapping[str, int]

    @property
    def n(self) -> int:
        """How many images all have."""
        return len(next(iter(self.answers.values())).labels)


def read_compared_runs(folders: Sequence[str | Path]) -> tuple[ComparedRun, ...]:
    """Read two finished runs or more, in the order given. Raises RunError and BundleError."""
    if len(folders) < 2:
        raise RunError(f"too few runs to compare: {len(folders)}, expected two or more. Name those to set side by side")
    places = [_place(Path(folder)) for folder in folders]
    _require_different(places)
    bundles = [Bundle.open(place / "bundle") for place in places]
    classes = bundles[0].classes
    for place, bundle in zip(places, bundles, strict=True):
        _require_same_classes(places[0], classes, place, bundle.classes)
    return tuple(
        ComparedRun(name, place, bundle, classes, dict(_answers(place, bundle.classes, classes)))
        for name, place, bundle in zip(_names([Path(folder) for folder in folders]), places, bundles, strict=True)
    )


def common(contenders: Sequence[ComparedRun], split: Judging) -> Common | None:
    """Find the images, by content and label, that all were judged on in a split; None where there is no such one.

    Of copies in a split as many count as the run with the fewest has.
    """
    judged = {one.name: one.answers[split] for one in contenders if split in one.answers}
    rows = {name: _rows(answers) for name, answers in judged.items()}
    first = rows.get(contenders[0].name, {})
    shared = [image for image in first if all(image in others for others in rows.values())]
    if len(judged) < len(contenders) or not shared:
        return None
    return Common(
        {name: answers.take([rows[name][image] for image in shared]) for name, answers in judged.items()},
        {name: len(answers.labels) - len(shared) for name, answers in judged.items()},
    )


def _place(folder: Path) -> Path:
    """Where a run's files are: a search leaves those of its winner in a folder of their own."""
    if not folder.is_dir():
        raise RunError(f"{folder} is no folder; expected one that tellapart train left: look at its name")
    if (folder / MANIFEST).exists():
        raise RunError(f"{folder} is a bundle, which has no answers to compare: name its run, the folder that holds it")
    place = folder / FINAL if (folder / FINAL / FINISHED).is_file() else folder
    if not (place / FINISHED).is_file():
        raise RunError(f"{folder} is no finished run: it has no {FINISHED}. Let the command that made it finish")
    return place


def _require_different(places: Sequence[Path]) -> None:
    resolved = [place.resolve() for place in places]
    for place, times in Counter(resolved).items():
        if times > 1:
            raise RunError(f"{place} was named {times} times, expected different runs: name each once")


def _require_same_classes(first: Path, classes: Sequence[str], other: Path, others: Sequence[str]) -> None:
    if unlike := sorted({*classes} ^ {*others}):
        raise RunError(
            f"{first} and {other} tell other classes apart: only one of them knows {', '.join(unlike[:NAMED])}. "
            "Compare runs on the same classes"
        )


def _names(folders: Sequence[Path]) -> list[str]:
    """Names as short as tells the folders apart: the last part of each path, or as many as it takes."""
    parts = [folder.resolve().parts for folder in folders]
    names = (["/".join(part[-depth:]) for part in parts] for depth in count(1))
    return next(found for found in names if len({*found}) == len(found))


def _answers(
    place: Path, own: tuple[str, ...], classes: tuple[str, ...]
) -> Iterator[tuple[Judging, StoredPredictions]]:
    splits: tuple[Judging, ...] = ("validation", "test")
    for split in splits:
        found = read_predictions(place, split)
        if found is not None:
            _require_fit(place, split, found, len(own))
            yield split, _reordered(found, own, classes)
    if not (place / "answers").exists():
        raise RunError(f"{place} has no answers to compare: train it again, with this tellapart")


def _require_fit(place: Path, split: str, found: StoredPredictions, classes: int) -> None:
    n = len(found.digests)
    if found.labels.shape != (n,) or found.probs.shape != (n, classes) or np.any(found.labels // classes):
        raise RunError(
            f"the {split} answers of {place} have labels {found.labels.shape} and probabilities {found.probs.shape} "
            f"for {n:,} images and {classes} classes: they are not its bundle's, train it again"
        )


def _reordered(answers: StoredPredictions, own: tuple[str, ...], classes: tuple[str, ...]) -> StoredPredictions:
    """The same answers with other numbers for the classes."""
    columns = [own.index(name) for name in classes]
    numbers = np.array([classes.index(name) for name in own], dtype=np.int32)
    return replace(answers, labels=numbers[answers.labels], probs=answers.probs[:, columns])


def _rows(answers: StoredPredictions) -> dict[tuple[str, int, int], int]:
    """Where each image is: by its content, its label and which of its copies it is."""
    copies: Counter[tuple[str, int]] = Counter()
    rows = {}
    for row, image in enumerate(zip(answers.digests, answers.labels.tolist(), strict=True)):
        rows[(*image, copies[image])] = row
        copies[image] += 1
    return rows
