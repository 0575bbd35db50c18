"""The content of a report: values already formatted, tables, figures and thumbnails."""

import base64
import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

from PIL import Image

from tellapart.data.decoding.conversion import ImageArray
from tellapart.data.preprocessing import to_image
from tellapart.errors import ImageError
from tellapart.judging.confusion import ConfusionCells
from tellapart.judging.intervals import Estimate
from tellapart.text import low_to_high, point_interval, points, value_text

THUMBNAIL_SIDE, JPEG_QUALITY = 96, 80  # pixels; JPEG's scale: about 2.3 kB for a photo

EvaluatedSplit = Literal["validation", "test"]


class Figure(Protocol):
    """The part of a plotly figure that a page needs."""

    def to_json(self) -> str | None:
        """Return data and layout as JSON."""


@dataclass(frozen=True)
class Thumbnail:
    """A small image: `src` is a data URI, `probability`, in [0, 1], that of the predicted class."""

    src: str
    name: str
    true: str = ""
    predicted: str = ""
    probability: float | None = None
    caption: str = ""


@dataclass(frozen=True)
class NamedValue:
    """A formatted value: its name, its 95 % interval if it has one, and its meaning."""

    name: str
    value: str
    interval: str = ""
    meaning: str = ""


@dataclass(frozen=True)
class Table:
    """A table of text; the first column names the rows."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Drawing:
    """A figure with its title, and a caption of one sentence that says how to read it."""

    title: str
    caption: str
    figure: Figure


@dataclass(frozen=True)
class DatasetFacts:
    """The data set: for each split the number of images of each class, int (k,), and a few examples."""

    name: str
    fingerprint: str
    classes: tuple[str, ...]
    counts: Mapping[str, tuple[int, ...]]
    examples: tuple[Thumbnail, ...] = ()


@dataclass(frozen=True)
class Baseline:
    """A simpler classifier on the same images, and by how much the run is better."""

    name: str
    accuracy: NamedValue
    difference: NamedValue
    p_value: str


@dataclass(frozen=True)
class SplitReport:
    """The evaluation of a classifier on one split, and on that split alone.

    The first of `metrics` is the headline. `counts` are the cells of the confusion matrix. `images` have
    `true` and `predicted` names from `classes`; pairs, mistakes and the images of a cell are chosen from them.
    `declined` describes the reject option on this split; `uses` is how often the split has been evaluated. `groups` is
    the number of groups of the images, None where unknown, and `warning` says why intervals cannot be trusted.
    """

    split: EvaluatedSplit
    n: int
    metrics: tuple[NamedValue, ...]
    classes: tuple[str, ...]
    counts: ConfusionCells
    images: tuple[Thumbnail, ...] = ()
    per_class: Table | None = None
    confusion: Drawing | None = None
    drawings: tuple[Drawing, ...] = ()
    baselines: tuple[Baseline, ...] = ()
    declined: tuple[NamedValue, ...] = ()
    uses: int | None = None
    groups: int | None = None
    warning: str | None = None


@dataclass(frozen=True)
class Calibration:
    """Calibration of the confidence: the temperature and the threshold, both fitted on validation images alone."""

    temperature: float
    before: NamedValue
    after: NamedValue
    threshold: float | None = None
    reject: tuple[NamedValue, ...] = ()
    drawings: tuple[Drawing, ...] = ()
    log_losses: tuple[NamedValue, ...] = ()
    """Before and after the temperature."""
    worse: str = ""
    """A sentence where the temperature made the calibration error larger."""


@dataclass(frozen=True)
class Explanation:
    """A saliency map of an image, and its faithfulness: four areas in [0, 1] (Petsiuk et al. 2018)."""

    image: Thumbnail
    overlay: Thumbnail
    label: str
    probability: float
    deletion: float
    random_deletion: float
    insertion: float
    random_insertion: float
    split: str = "test"

    @property
    def no_better_than_random(self) -> bool:
        """True where a random map is as faithful, by deletion and by insertion."""
        return self.deletion >= self.random_deletion and self.insertion <= self.random_insertion

    @property
    def doubtful(self) -> str:
        """The one score by which a random map is as faithful; empty where it is neither or both."""
        worse = [self.deletion >= self.random_deletion, self.insertion <= self.random_insertion]
        return ("deletion" if worse[0] else "insertion") if sum(worse) == 1 else ""


@dataclass(frozen=True)
class Report:
    """The content of the page about one run. Empty parts have no section."""

    title: str
    created: str
    command: str
    dataset: DatasetFacts
    recipe: Mapping[str, str] = field(default_factory=dict)
    history: Drawing | None = None
    splits: tuple[SplitReport, ...] = ()
    calibration: Calibration | None = None
    explanations: tuple[Explanation, ...] = ()
    size_and_speed: tuple[NamedValue, ...] = ()
    environment: tuple[NamedValue, ...] = ()
    skipped: tuple[NamedValue, ...] = ()
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    """Reasons to distrust the classifier, above all else."""


def named_estimate(
    name: str, estimate: Estimate | None, meaning: str = "", *, form: str = ".1%", n: int = 0
) -> NamedValue:
    """Format an estimate, by a format such as `.1%` or `.3f`; None is a number that is not defined."""
    if estimate is None:
        return NamedValue(name, "not defined", "", meaning)
    return NamedValue(
        name, value_text(estimate.value, form), low_to_high(estimate.low, estimate.high, form, n=n), meaning
    )


def named_difference(name: str, estimate: Estimate) -> NamedValue:
    """Format a difference of two shares in percentage points."""
    return NamedValue(name, points(estimate.value), point_interval(estimate.low, estimate.high))


def thumbnail_jpeg(image: ImageArray, side: int = THUMBNAIL_SIDE) -> bytes:
    """Make a JPEG of an image, uint8 (h, w, 1 or 3), that fits a square of `side` pixels. Raises ImageError.

    An image of at most half that size is enlarged by a whole factor, with its pixels visible.
    """
    if image.ndim != 3 or image.shape[2] not in (1, 3) or image.dtype != "uint8" or not image.size:
        raise ImageError(
            f"an image has shape {image.shape} and type {image.dtype}, expected uint8 (height, width, 1 or 3): "
            "decode it first"
        )
    pil_image = _fit_square(to_image(image), side)
    stream = io.BytesIO()
    pil_image.save(stream, "JPEG", quality=JPEG_QUALITY)
    return stream.getvalue()


def data_uri(jpeg: bytes) -> str:
    """Encode a JPEG as a data URI."""
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}"


def _fit_square(pil_image: Image.Image, side: int) -> Image.Image:
    factor = side // max(pil_image.size)
    if factor > 1:
        return pil_image.resize((pil_image.width * factor, pil_image.height * factor), Image.Resampling.NEAREST)
    pil_image.thumbnail((side, side))
    return pil_image
