"""Lessons: a question, an experiment, claims that its numbers must satisfy, and text with those numbers."""

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from string import Formatter
from typing import Any

from tellapart.errors import RecipeError, TellapartError, did_you_mean, require
from tellapart.reports.report import Drawing, Table
from tellapart.text import points

Results = Mapping[str, Any]
"""Numbers and words from a run, by the names that the text uses."""
CHAPTERS = {
    "Images and their numbers": ("image-as-array", "scaling-inputs"),
    "Judging honestly": (
        "separate-test-set", "score-on-training-data", "over-fitting", "bias-and-variance", "cross-validation",
        "pixel-order",
    ),
    "Metrics and mistakes": ("which-metric", "unequal-mistakes", "rare-class", "confusion-matrix"),
    "How models work": (
        "growing-a-forest", "filters-and-feature-maps", "pooling", "softmax-and-logits", "counting-parameters",
    ),
    "Training well": ("learning-rate", "dropout", "augmentation", "early-stopping", "searching"),
    "Pre-trained networks": ("transfer-against-scratch", "frozen-features", "image-size-and-time"),
    "Confidence and explanations": ("knowing-when-you-do-not-know", "explanations-that-lie"),
}  # fmt: skip
"""The lessons by chapter, in the order to read them."""
NAMES = tuple(name for names in CHAPTERS.values() for name in names)
OLD_NAMES = {"picture-as-array": "image-as-array", "picture-size-and-time": "image-size-and-time"}
"""Names of earlier versions, which are still accepted."""


@dataclass(frozen=True)
class Settings:
    """The size of an experiment, full or small (seconds), and the seed that repeats it."""

    small: bool = False
    seed: int = 0

    def of(self, full: int, *, small: int) -> int:
        """Return `full`, or `small` for a small experiment."""
        return small if self.small else full


@dataclass(frozen=True)
class Findings:
    """The outcome of an experiment. Every number in the lesson's text is one of `results`."""

    results: Results
    figures: tuple[Drawing, ...]
    tables: Mapping[str, Table] = field(default_factory=dict)
    """Tables by their titles."""


@dataclass(frozen=True)
class Claim:
    """A sentence and the condition on the results under which it is true."""

    sentence: str
    is_true: Callable[[Results], bool]


@dataclass(frozen=True)
class Lesson:
    """A question and the experiment that answers it.

    Texts are templates: `{name}` or `{name:.1%}` is one of the results, `{name:+.1p}` one in percentage points, and
    `[term]` or `[text|term]` links to the glossary; an empty line begins a new paragraph.
    """

    name: str
    question: str
    method: str
    """The experiment."""
    run: Callable[[Settings], Findings]
    outcome: str
    """The results, in words."""
    claims: tuple[Claim, ...]
    conclusion: str
    """The answer to the question."""
    try_next: str
    """A question to explore."""
    needs: str
    """The data set that it uses where it is on this machine; digits are always available."""
    seconds: int
    """Approximate duration on two cores at full size."""


@dataclass(frozen=True)
class Learned:
    """A lesson that was run: its findings, its checked claims, and how long it took."""

    lesson: Lesson
    findings: Findings
    claims: tuple[tuple[str, bool], ...]
    """Each claim with its numbers, and whether it is true."""
    seconds: float

    @property
    def is_confirmed(self) -> bool:
        """True where every claim is true."""
        return all(is_true for _, is_true in self.claims)

    @property
    def duration(self) -> str:
        """The duration in words."""
        return "less than a second" if self.seconds < 1 else f"{max(2, round(self.seconds))} seconds"

    def text(self, template: str) -> str:
        """Fill a text of the lesson with this run's numbers. Raises TellapartError for a name without a result."""
        return filled(template, self.findings.results)


class _Points(Formatter):
    """Formats as `str.format`, and a difference of two shares in percentage points: `{gain:+.1p}` is `+2.5 points`."""

    def format_field(self, value: object, format_spec: str) -> str:
        """Format one result."""
        if format_spec.endswith("p") and isinstance(value, float):
            return points(value, f"{format_spec[:-1]}f")
        return str(super().format_field(value, format_spec))


def filled(template: str, results: Results) -> str:
    """Fill a template with results. Raises TellapartError for a name without a result."""
    try:
        return _Points().vformat(template, (), results)
    except (KeyError, ValueError) as error:
        known = ", ".join(sorted(results))
        raise TellapartError(f"a lesson's text cannot be filled ({error!r}); its results are {known}") from error


def lesson_named(name: str) -> Lesson:
    """Import the lesson of that name. Raises RecipeError that suggests others, and MissingPackageError."""
    name = OLD_NAMES.get(name, name)
    if name not in NAMES:
        raise RecipeError(f"there is no lesson {name!r}: {did_you_mean(name, NAMES)}")
    require("sklearn", extra="train")
    lesson: Lesson = importlib.import_module(f"tellapart.lessons.{name.replace('-', '_')}").LESSON
    return lesson


def chapter_of(name: str) -> str:
    """Return the chapter of a lesson; empty for one that is in none."""
    return next((chapter for chapter, names in CHAPTERS.items() if name in names), "")


def all_lessons() -> tuple[Lesson, ...]:
    """Import every lesson, in reading order. Raises MissingPackageError."""
    return tuple(lesson_named(name) for name in NAMES)
