"""The one visible table of lessons, in the order to read them."""

from tellapart.errors import RecipeError, nearest
from tellapart.lessons import (
    bias_and_variance,
    cross_validation,
    over_fitting,
    picture_as_array,
    pixel_order,
    scaling_inputs,
    score_on_training_data,
    separate_test_set,
    unequal_mistakes,
    which_metric,
)
from tellapart.lessons.lesson import Lesson

LESSONS: tuple[Lesson, ...] = (
    picture_as_array.LESSON,
    scaling_inputs.LESSON,
    separate_test_set.LESSON,
    score_on_training_data.LESSON,
    over_fitting.LESSON,
    bias_and_variance.LESSON,
    cross_validation.LESSON,
    pixel_order.LESSON,
    which_metric.LESSON,
    unequal_mistakes.LESSON,
)


def lesson_named(name: str) -> Lesson:
    """The lesson of that name. Raises RecipeError that suggests others."""
    for lesson in LESSONS:
        if lesson.name == name:
            return lesson
    raise RecipeError(f"there is no lesson {name!r}: {nearest(name, (lesson.name for lesson in LESSONS))}")
