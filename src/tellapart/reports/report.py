"""What a report says about a run: facts that were read, counted and put into words before, and small images."""

import base64
import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

from PIL import Image

from tellapart.data.image import ImageArray
from tellapart.data.preprocessing import to_image
from tellapart.errors import ImageError
from tellapart.judging.intervals import Estimate

SIDE, QUALITY = 96, 80  # pixels; of JPEG: about 2.3 kB for a photo

Judging = Literal["validation", "test"]


class Figure(Protocol):
    """What is asked of a figure: a plotly figure has it."""

    def to_json(self) -> str | None:
        """Data and layout as JSON."""


@dataclass(frozen=True)
class Thumb:
    """A small image: `src` is a data URI, `probability` in [0, 1] is that of the predicted class."""

    src: str
    name: str
    true: str = ""
    predicted: str = ""
    probability: float | None = None
    caption: str = ""


@dataclass(frozen=True)
class Line:
    """One number or fact: its name, its value, its 95 % interval if it has one, and what it means."""

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
    """A figure under its title, with one sentence that says how to read it."""

    title: str
    caption: str
    figure: Figure


@dataclass(frozen=True)
class DatasetFacts:
    """The images: for each split how many of each class, int (k,), and a few of them."""

    name: str
    fingerprint: str
    classes: tuple[str, ...]
    counts: Mapping[str, tuple[int, ...]]
    examples: tuple[Thumb, ...] = ()


@dataclass(frozen=True)
class Baseline:
    """A simpler classifier on the same images, and by how much this one is better."""

    name: str
    accuracy: Line
    difference: Line
    p_value: str


@dataclass(frozen=True)
class Judged:
    """What the classifier is worth on one split, and on that split alone.

    The first of `lines` is its headline. `counts`, int (k, k), is the confusion matrix, rows true. `images` carry
    `true` and `predicted` names out of `classes`; pairs, mistakes and the images of a cell are taken from them.
    `declined` is what the reject option does on this split; `uses` is how often the split has been judged.
    """

    split: Judging
    n: int
    lines: tuple[Line, ...]
    classes: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]
    images: tuple[Thumb, ...] = ()
    per_class: Table | None = None
    confusion: Drawing | None = None
    drawings: tuple[Drawing, ...] = ()
    baselines: tuple[Baseline, ...] = ()
    declined: tuple[Line, ...] = ()
    uses: int | None = None


@dataclass(frozen=True)
class Calibration:
    """How sure the classifier may say it is; settled on the validation images alone, as is the threshold."""

    temperature: float
    before: Line
    after: Line
    threshold: float | None = None
    reject: tuple[Line, ...] = ()
    drawings: tuple[Drawing, ...] = ()


@dataclass(frozen=True)
class Explanation:
    """Where the classifier looked in an image, and whether it mattered: four areas in [0, 1] (Petsiuk et al. 2018)."""

    image: Thumb
    overlay: Thumb
    label: str
    probability: float
    deletion: float
    random_deletion: float
    insertion: float
    random_insertion: float
    split: str = "test"

    @property
    def meaningless(self) -> bool:
        """Whether the map is no better than a random one in either way."""
        return self.deletion >= self.random_deletion and self.insertion <= self.random_insertion


@dataclass(frozen=True)
class Report:
    """All that one page says about one run. What is empty has no section."""

    title: str
    created: str
    command: str
    dataset: DatasetFacts
    recipe: Mapping[str, str] = field(default_factory=dict)
    history: Drawing | None = None
    judged: tuple[Judged, ...] = ()
    calibration: Calibration | None = None
    explanations: tuple[Explanation, ...] = ()
    size_and_speed: tuple[Line, ...] = ()
    environment: tuple[Line, ...] = ()
    refused_or_skipped: tuple[Line, ...] = ()
    notes: tuple[str, ...] = ()


def line(name: str, estimate: Estimate | None, meaning: str = "", *, form: str = ".1%") -> Line:
    """Put an estimate into words by a format such as `.1%` or `.3f`; None is a number that is not defined here."""
    if estimate is None:
        return Line(name, "not defined", "", meaning)
    interval = f"{estimate.low:{form}} to {estimate.high:{form}}"
    return Line(name, f"{estimate.value:{form}}", interval, meaning)


def thumbnail(image: ImageArray, side: int = SIDE) -> bytes:
    """Make a JPEG of an image, uint8 (h, w, 1 or 3), that fits a square of `side` pixels. Raises ImageError.

    An image of at most half that is enlarged a whole number of times, its pixels left visible.
    """
    if image.ndim != 3 or image.shape[2] not in (1, 3) or image.dtype != "uint8" or not image.size:
        raise ImageError(
            f"an image has shape {image.shape} and type {image.dtype}, expected uint8 (height, width, 1 or 3): "
            "decode it first"
        )
    pil_image = _fitted(to_image(image), side)
    stream = io.BytesIO()
    pil_image.save(stream, "JPEG", quality=QUALITY)
    return stream.getvalue()


def data_uri(jpeg: bytes) -> str:
    """The bytes of a JPEG as an address that needs no file."""
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}"


def _fitted(pil_image: Image.Image, side: int) -> Image.Image:
    times = side // max(pil_image.size)
    if times > 1:
        return pil_image.resize((pil_image.width * times, pil_image.height * times), Image.Resampling.NEAREST)
    pil_image.thumbnail((side, side))
    return pil_image
