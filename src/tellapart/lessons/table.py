"""The table of lessons, in reading order. A lesson is imported when it is used."""

import importlib

from tellapart.errors import RecipeError, did_you_mean, require
from tellapart.lessons.lesson import Lesson

NAMES = (
    "image-as-array",
    "scaling-inputs",
    "separate-test-set",
    "score-on-training-data",
    "over-fitting",
    "bias-and-variance",
    "cross-validation",
    "pixel-order",
    "which-metric",
    "unequal-mistakes",
    "rare-class",
    "confusion-matrix",
    "growing-a-forest",
    "filters-and-feature-maps",
    "pooling",
    "softmax-and-logits",
    "counting-parameters",
    "learning-rate",
    "dropout",
    "augmentation",
    "early-stopping",
    "searching",
    "transfer-against-scratch",
    "frozen-features",
    "image-size-and-time",
    "knowing-when-you-do-not-know",
    "explanations-that-lie",
)

OLD_NAMES = {"picture-as-array": "image-as-array", "picture-size-and-time": "image-size-and-time"}
"""Names of earlier versions, which are still accepted."""


def lesson_named(name: str) -> Lesson:
    """Import the lesson of that name. Raises RecipeError that suggests others, and MissingPackageError."""
    name = OLD_NAMES.get(name, name)
    if name not in NAMES:
        raise RecipeError(f"there is no lesson {name!r}: {did_you_mean(name, NAMES)}")
    require("sklearn", extra="train")
    lesson: Lesson = importlib.import_module(f"tellapart.lessons.{name.replace('-', '_')}").LESSON
    return lesson


def all_lessons() -> tuple[Lesson, ...]:
    """Import every lesson, in reading order. Raises MissingPackageError."""
    return tuple(lesson_named(name) for name in NAMES)
