"""A report as one HTML file that needs no network and, but for its figures, no scripts."""

import base64
import hashlib
import html
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tellapart.errors import RunError, require
from tellapart.files import atomic_write
from tellapart.reports.report import DatasetFacts, Drawing, Judged, Report, Table, Thumb

TEMPLATES = Path(__file__).parent / "templates"
MOST_BYTES = 15_000_000
PAIRS, PAIR_IMAGES, MISTAKES = 6, 6, 12  # how many are shown
MATRIX_CLASSES = 25  # a matrix of more is no longer read, so the figure takes its place
MARKUP_BYTES = 500  # about what stands around an image, names aside
Facts = Mapping[str, object]
"""What a template is given, by name."""


@dataclass(frozen=True)
class Cell:
    """A cell of the confusion matrix: `count` of the `of` images of a class, and the images that are shown.

    `shade`, in [0, 1], is its share of the class; of a mistake in relation to the worst of them.
    """

    anchor: str
    true: str
    predicted: str
    count: int
    of: int
    shade: float
    images: tuple[Thumb, ...]

    @property
    def right(self) -> bool:
        """Whether its images are told right."""
        return self.true == self.predicted


def write_report(report: Report, path: Path) -> None:
    """Write a report's page. Raises RunError where its facts contradict each other, and StorageError."""
    atomic_write(path, report_html(report))


def report_html(report: Report, *, most: int = MOST_BYTES) -> str:
    """Render a report in at most `most` bytes: images are left out, the least useful first, and counted.

    Raises RunError where the facts contradict each other.
    """
    _check(report)
    room = most - byte_count(_rendered(_with_images(report, set()), report))
    while True:
        page = _rendered(_with_images(report, _kept(report, room)), report)
        excess = byte_count(page) - most
        if excess <= 0 or room <= 0:  # without any image it is as small as it gets
            return page
        room -= excess


def page_html(template: str, *, more: Path | None = None, **facts: object) -> str:
    """Render a page that extends `layout.html.jinja`, with the style and the scripts that draw its figures.

    `more` is a further folder of templates.
    """
    plotly = require("plotly.offline", extra="train").get_plotlyjs()
    scripts = [plotly, (TEMPLATES / "report.js").read_text(encoding="utf-8")]
    return _page(_template(template, more), scripts, [_hash(script) for script in scripts], facts)


def still_html(template: str, **facts: object) -> str:
    """Render a page that extends `layout.html.jinja` and has no figures: no script runs in it, and it is small."""
    return _page(_template(template), [], ["'none'"], facts)


def site_html(template: str, *, more: Path, **facts: object) -> str:
    """Render a page of a site, from the folder `more` of templates: only scripts from files beside it run."""
    return _page(_template(template, more), [], ["'self'", "file:"], facts)  # for a browser, a file's self is no file


def counts_table(dataset: DatasetFacts) -> Table:
    """How many images of each class there are, a column for each split."""
    names, columns = tuple(dataset.counts), tuple(dataset.counts.values())
    rows = [(name, *(f"{one:,}" for one in row)) for name, *row in zip(dataset.classes, *columns, strict=True)]
    sums = ("in all", *(f"{sum(column):,}" for column in columns))
    return Table(("class", *names), (*rows, sums))


def cells(judged: Judged) -> list[list[Cell]]:
    """The confusion matrix with its images, rows true; in each cell the surest first."""
    found: dict[tuple[str, str], list[Thumb]] = {}
    for thumb in sorted(judged.images, key=_sureness, reverse=True):
        found.setdefault((thumb.true, thumb.predicted), []).append(thumb)
    shares = [[count / max(sum(row), 1) for count in row] for row in judged.counts]
    worst = max((share for i, row in enumerate(shares) for j, share in enumerate(row) if i != j), default=0) or 1
    return [
        [
            Cell(
                anchor=f"{judged.split}-cell-{i}-{j}",
                true=true,
                predicted=predicted,
                count=judged.counts[i][j],
                of=sum(judged.counts[i]),
                shade=shares[i][j] / (1 if i == j else worst),
                images=tuple(found.get((true, predicted), ())),
            )
            for j, predicted in enumerate(judged.classes)
        ]
        for i, true in enumerate(judged.classes)
    ]


def pairs(judged: Judged) -> list[Cell]:
    """The classes that are most often taken for another, most often first."""
    wrong = [cell for row in cells(judged) for cell in row if cell.count and not cell.right]
    return sorted(wrong, key=lambda cell: cell.count, reverse=True)[:PAIRS]


def mistakes(judged: Judged) -> list[Thumb]:
    """The images that are told wrong with the greatest probability."""
    return sorted((thumb for thumb in judged.images if _wrong(thumb)), key=_sureness, reverse=True)[:MISTAKES]


def _sureness(thumb: Thumb) -> float:
    return thumb.probability or 0.0


def _wrong(thumb: Thumb) -> bool:
    return thumb.true != thumb.predicted


def _test_first(judged: Judged) -> bool:
    return judged.split != "test"


def _check(report: Report) -> None:
    splits = [judged.split for judged in report.judged]
    if sorted(set(splits)) != sorted(splits) or not set(splits) <= {"validation", "test"}:
        raise RunError(f"a report judges {splits}, expected each of validation and test at most once: merge them")
    for judged in report.judged:
        _check_counts(judged)
        _check_names(judged)


def _check_counts(judged: Judged) -> None:
    k, widths = len(judged.classes), {len(row) for row in judged.counts}
    if len(judged.counts) != k or widths - {k}:
        raise RunError(
            f"the confusion matrix of {judged.split} has {len(judged.counts)} rows of {sorted(widths)} numbers, "
            f"expected {k} rows of {k}: count it with the classes that it is shown with"
        )


def _check_names(judged: Judged) -> None:
    strange = {thumb.true for thumb in judged.images} | {thumb.predicted for thumb in judged.images}
    strange -= set(judged.classes)
    if strange:
        raise RunError(
            f"images of {judged.split} are said to be {sorted(strange)[0]!r}, which is not among the "
            f"{len(judged.classes)} classes: name them as the classes are named"
        )


def _all_images(report: Report) -> Iterator[Thumb]:
    """Every image that may be left out, the most useful first; an explanation's overlay goes with its image."""
    yield from (one.image for one in report.explanations)
    yield from report.dataset.examples
    judged = sorted(report.judged, key=_test_first)
    wrong = [thumb for one in judged for thumb in one.images if _wrong(thumb)]
    yield from sorted(wrong, key=_sureness, reverse=True)
    right = [thumb for one in judged for thumb in one.images if not _wrong(thumb)]
    yield from sorted(right, key=_sureness)  # one that was nearly told wrong says more than one that is clear


def _kept(report: Report, room: int) -> set[int]:
    """Which images, by identity, fit into `room` bytes."""
    overlays = {id(one.image): len(one.overlay.src) for one in report.explanations}
    kept: set[int] = set()
    for thumb in _all_images(report):
        names = byte_count(f"{thumb.name}{thumb.true}{thumb.predicted}{thumb.caption}")
        room -= len(thumb.src) + overlays.get(id(thumb), 0) + MARKUP_BYTES + 2 * names
        if room < 0:
            break
        kept.add(id(thumb))
    return kept


def _with_images(report: Report, kept: set[int]) -> Report:
    def some(thumbs: Sequence[Thumb]) -> tuple[Thumb, ...]:
        return tuple(thumb for thumb in thumbs if id(thumb) in kept)

    return replace(
        report,
        dataset=replace(report.dataset, examples=some(report.dataset.examples)),
        judged=tuple(replace(one, images=some(one.images)) for one in report.judged),
        explanations=tuple(one for one in report.explanations if id(one.image) in kept),
    )


def _rendered(report: Report, whole: Report) -> str:
    """Render a report whose images are those of `whole`, or fewer."""
    return page_html(
        "report.html.jinja",
        report=report,
        headline=min((one for one in report.judged if one.lines), key=_test_first, default=None),
        sections=_sections(report),
        counts=counts_table(report.dataset),
        left_out=_image_count(whole) - _image_count(report),
        cells=cells,
        pairs=pairs,
        mistakes=mistakes,
        matrix_classes=MATRIX_CLASSES,
        pair_images=PAIR_IMAGES,
    )


def _sections(report: Report) -> list[tuple[str, str, bool]]:
    """For each section its anchor, its name among the contents, and whether it is there."""
    splits = {judged.split for judged in report.judged}
    return [
        ("asked", "What was asked", True),
        ("images", "The images", True),
        ("learning", "How it learned", report.history is not None),
        ("validation", "Validation", "validation" in splits),
        ("calibration", "How sure it may be", report.calibration is not None),
        ("test", "Test", "test" in splits),
        ("looked", "What it looked at", bool(report.explanations)),
        ("size", "Size and speed", bool(report.size_and_speed)),
        ("environment", "Environment", bool(report.environment)),
        ("refused", "Refused or skipped", True),
        ("notes", "Notes", bool(report.notes)),
    ]


def _page(render: Callable[..., str], scripts: Sequence[str], allowed: Sequence[str], facts: Facts) -> str:
    return render(
        style=(TEMPLATES / "report.css").read_text(encoding="utf-8"),
        scripts=scripts,
        hashes=allowed,  # only these scripts run, whatever else a name might smuggle into the page
        **facts,
    )


def _template(name: str, more: Path | None = None) -> Callable[..., str]:
    jinja2 = require("jinja2", extra="train")
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader([TEMPLATES, *([more] if more else [])]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"plot": _plot, "percent": "{:.1%}".format, "count": "{:,}".format}
    render: Callable[..., str] = environment.get_template(name).render
    return render


def _plot(drawing: Drawing) -> dict[str, str]:
    """A figure as JSON, in which no `<` can end the element it stands in, and its title as text, which can wrap."""
    figure = json.loads(drawing.figure.to_json() or "{}")
    layout = figure.setdefault("layout", {})
    title = layout.pop("title", {}).get("text", "")
    layout.setdefault("margin", {})["t"] = 12  # pixels: the title left its place
    return {"json": json.dumps(figure).replace("<", "\\u003c"), "fact": html.unescape(title)}


def _image_count(report: Report) -> int:
    return sum(1 for _ in _all_images(report))


def _hash(script: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"


def byte_count(text: str) -> int:
    """How many bytes a page takes on the disk."""
    return len(text.encode(errors="surrogateescape"))
