"""The report of a run as one HTML file that works without a network, and without scripts but for its figures."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from tellapart.errors import RunError
from tellapart.files import atomic_write
from tellapart.reports.render import byte_count, page_html
from tellapart.reports.report import DatasetFacts, Report, SplitReport, Table, Thumbnail

MAX_BYTES = 15_000_000
MAX_CLASSES = 1_000  # whose counts are on a page: a longer table is unreadable
MAX_CONFUSED_PAIRS, MAX_PAIR_IMAGES, MAX_MISTAKES = 6, 5, 12
MAIN_METRICS = ("accuracy", "balanced accuracy", "macro f1", "top-3 accuracy", "log-loss", "calibration error")
"""The metrics above the confusion matrix, in small letters."""
MAX_MATRIX_CLASSES = 25  # a larger table is unreadable: the figure is shown instead
MARKUP_BYTES = 500  # around an image, approximately, without its names


@dataclass(frozen=True)
class Cell:
    """A cell of the confusion matrix: `count` of the `of` images of its true class, and those that are shown.

    `shade`, in [0, 1], is its share of the true class; for a mistake, relative to the largest share of a mistake.
    """

    anchor: str
    true: str
    predicted: str
    count: int
    of: int
    shade: float
    images: tuple[Thumbnail, ...]

    @property
    def correct(self) -> bool:
        """True on the diagonal."""
        return self.true == self.predicted


def write_report(report: Report, path: Path) -> None:
    """Write a report's page. Raises RunError where the report contradicts itself, and StorageError."""
    atomic_write(path, report_html(report))


def report_html(report: Report, *, most: int = MAX_BYTES) -> str:
    """Render a report in at most `most` bytes; the least useful images are left out, and the page gives their number.

    Raises RunError where the report contradicts itself.
    """
    _check_report(report)
    room = most - byte_count(_render(_with_images(report, set()), report))
    while True:
        page = _render(_with_images(report, _images_that_fit(report, room)), report)
        excess = byte_count(page) - most
        if excess <= 0 or room <= 0:  # without any image the page is as small as it can be
            return page
        room -= excess


def counts_table(dataset: DatasetFacts) -> Table:
    """Count the images of each class, in a column for each split; of very many classes only the first."""
    names, columns = tuple(dataset.counts), tuple(dataset.counts.values())
    rows = [(name, *(f"{count:,}" for count in row)) for name, *row in zip(dataset.classes, *columns, strict=True)]
    sums = ("total", *(f"{sum(column):,}" for column in columns))
    if len(rows) > MAX_CLASSES:
        rows[MAX_CLASSES:] = [(f"and {len(rows) - MAX_CLASSES:,} more", *("" for _ in names))]
    return Table(("class", *names), (*rows, sums))


def confusion_cells(split: SplitReport) -> list[list[Cell]]:
    """Build the confusion matrix with its images, rows true; in each cell the most confident predictions first.

    Of many classes, whose table is not shown, only the cells that are not empty.
    """
    images: dict[tuple[str, str], list[Thumbnail]] = {}
    for thumb in sorted(split.images, key=_confidence, reverse=True):
        images.setdefault((thumb.true, thumb.predicted), []).append(thumb)
    counts, every = split.counts, len(split.classes) <= MAX_MATRIX_CLASSES
    sizes = counts.class_counts.true
    mistakes = counts.true != counts.predicted
    worst = float((counts.count[mistakes] / sizes[counts.true[mistakes]]).max(initial=0)) or 1

    def cell(i: int, j: int, count: int) -> Cell:
        true, predicted = split.classes[i], split.classes[j]
        return Cell(
            anchor=f"{split.split}-cell-{i}-{j}",
            true=true,
            predicted=predicted,
            count=count,
            of=int(sizes[i]),
            shade=count / max(int(sizes[i]), 1) / (1 if i == j else worst),
            images=tuple(images.get((true, predicted), ())),
        )

    columns = range(len(split.classes))
    if every:
        matrix = counts.among(np.array(columns)).tolist()
        return [[cell(i, j, matrix[i][j]) for j in columns] for i in columns]
    rows: list[list[Cell]] = [[] for _ in columns]
    for i, j, count in counts.as_json():
        rows[i].append(cell(i, j, count))
    return rows


def most_confused_cells(split: SplitReport) -> list[Cell]:
    """Return the most common confusions of two classes, the most common first."""
    confused = [cell for row in confusion_cells(split) for cell in row if cell.count and not cell.correct]
    return sorted(confused, key=lambda cell: cell.count, reverse=True)[:MAX_CONFUSED_PAIRS]


def most_confident_mistakes(split: SplitReport) -> list[Thumbnail]:
    """Return the incorrect predictions with the highest confidence."""
    return sorted(filter(_is_mistake, split.images), key=_confidence, reverse=True)[:MAX_MISTAKES]


def _confidence(thumb: Thumbnail) -> float:
    return thumb.probability or 0.0


def _is_mistake(thumb: Thumbnail) -> bool:
    return thumb.true != thumb.predicted


def _test_first(split: SplitReport) -> bool:
    return split.split != "test"


def _check_report(report: Report) -> None:
    names = [split.split for split in report.splits]
    if sorted(set(names)) != sorted(names) or not set(names) <= {"validation", "test"}:
        raise RunError(
            f"a report has the splits {names}, expected each of validation and test at most once: merge them"
        )
    for split in report.splits:
        _check_counts(split)
        _check_names(split)


def _check_counts(split: SplitReport) -> None:
    if split.counts.classes != len(split.classes):
        raise RunError(
            f"the confusion matrix of {split.split} has {split.counts.classes:,} classes, "
            f"expected {len(split.classes):,}: compute it with the classes of the report"
        )


def _check_names(split: SplitReport) -> None:
    unknown = {thumb.true for thumb in split.images} | {thumb.predicted for thumb in split.images}
    unknown -= set(split.classes)
    if unknown:
        raise RunError(
            f"images of {split.split} have the class {sorted(unknown)[0]!r}, which is not among the "
            f"{len(split.classes)} classes of the report: use the same names for both"
        )


def _all_images(report: Report) -> Iterator[Thumbnail]:
    """Yield every image that may be left out, the most useful first; an overlay goes with its image."""
    yield from (explanation.image for explanation in report.explanations)
    yield from report.dataset.examples
    images = [thumb for split in sorted(report.splits, key=_test_first) for thumb in split.images]
    yield from sorted(filter(_is_mistake, images), key=_confidence, reverse=True)
    correct = [thumb for thumb in images if not _is_mistake(thumb)]
    yield from sorted(correct, key=_confidence)  # a close call is more informative than a clear one


def _images_that_fit(report: Report, room: int) -> set[int]:
    """Return the identities of the images that fit into `room` bytes."""
    overlays = {id(explanation.image): len(explanation.overlay.src) for explanation in report.explanations}
    kept: set[int] = set()
    for thumb in _all_images(report):
        names = byte_count(f"{thumb.name}{thumb.true}{thumb.predicted}{thumb.caption}")
        room -= len(thumb.src) + overlays.get(id(thumb), 0) + MARKUP_BYTES + 2 * names
        if room < 0:
            break
        kept.add(id(thumb))
    return kept


def _with_images(report: Report, kept: set[int]) -> Report:
    def only_kept(thumbs: Sequence[Thumbnail]) -> tuple[Thumbnail, ...]:
        return tuple(thumb for thumb in thumbs if id(thumb) in kept)

    return replace(
        report,
        dataset=replace(report.dataset, examples=only_kept(report.dataset.examples)),
        splits=tuple(replace(split, images=only_kept(split.images)) for split in report.splits),
        explanations=tuple(explanation for explanation in report.explanations if id(explanation.image) in kept),
    )


def _render(report: Report, complete: Report) -> str:
    """Render a report whose images are those of the `complete` one, or fewer."""
    return page_html(
        "report.html.jinja",
        report=report,
        headline=min((split for split in report.splits if split.metrics), key=_test_first, default=None),
        sections=_sections(report),
        counts=counts_table(report.dataset),
        left_out=_image_count(complete) - _image_count(report),
        confusion_cells=confusion_cells,
        most_confused_cells=most_confused_cells,
        most_confident_mistakes=most_confident_mistakes,
        matrix_classes=MAX_MATRIX_CLASSES,
        pair_images=MAX_PAIR_IMAGES,
        main_metrics=MAIN_METRICS,
    )


def _sections(report: Report) -> list[tuple[str, str, bool]]:
    """List the sections: anchor, title in the table of contents, and False where the section is absent."""
    result = min((split for split in report.splits if split.metrics), key=_test_first, default=None)
    others = [split.split for split in report.splits if split is not result]
    titles = {"test": "Test", "validation": "Validation"}
    return [
        *([(result.split, titles[result.split], True)] if result else []),
        ("learning", "Training", report.history is not None),
        ("calibration", "Confidence", report.calibration is not None),
        ("explanations", "Explanations", bool(report.explanations)),
        ("notes", "Notes", bool(report.notes)),
        ("images", "Images", True),
        *((name, titles[name], True) for name in others),
        ("recipe", "Recipe", True),
        ("machine", "Machine and files", True),
    ]


def _image_count(report: Report) -> int:
    return sum(1 for _ in _all_images(report))
