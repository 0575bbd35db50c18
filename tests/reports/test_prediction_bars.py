"""Predictions drawn with a bar for each class."""

import numpy as np
import pytest

from tellapart.bundles.predictor import ClassProbability, Prediction
from tellapart.reports.prediction_bars import (
    BAR_WIDTH,
    GAP,
    LINE,
    NAME_WIDTH,
    SIDE,
    draw_predictions,
    share_text,
    title,
)

TOP = (ClassProbability("nine", 0.75), ClassProbability("four", 0.25), ClassProbability("one", 0.0))
BLUE, RED, WHITE = (0, 114, 178), (213, 94, 0), (255, 255, 255)
GREY_IMAGE = np.full((28, 28, 1), 77, np.uint8)
LEFT = GAP + SIDE + GAP + NAME_WIDTH


def bar(prediction: Prediction, number: int) -> tuple[tuple[int, ...], int]:
    """Return the colour of a bar, and its length in pixels."""
    drawn = np.asarray(draw_predictions([GREY_IMAGE], [prediction]))
    row = drawn[GAP + LINE * (number + 2) + LINE // 2, LEFT : LEFT + BAR_WIDTH]
    same = (row == row[0]).all(axis=1)
    return tuple(row[0].tolist()), int(same.argmin()) if not same.all() else len(row)


@pytest.mark.parametrize(("true", "colours"), [(None, [BLUE]), ("nine", [BLUE]), ("four", [RED, BLUE])])
def test_bars_are_as_long_as_probabilities_and_a_mistake_is_red(
    true: str | None, colours: list[tuple[int, ...]]
) -> None:
    prediction = Prediction("a.png", TOP, true=true)
    bars = [bar(prediction, number) for number in range(2)]
    assert [colour for colour, _ in bars[: len(colours)]] == colours
    assert [length for _, length in bars] == pytest.approx([0.75 * BAR_WIDTH, 0.25 * BAR_WIDTH], abs=2)


def test_each_row_begins_with_its_image() -> None:
    prediction = Prediction("a.png", TOP)
    drawn = np.asarray(draw_predictions([GREY_IMAGE, np.zeros((10, 20, 3), np.uint8)], [prediction, prediction]))
    assert drawn[GAP + 50, GAP + 50].tolist() == [77] * 3
    assert drawn[2 * GAP + SIDE + 50, GAP + 50].tolist() == [0] * 3
    assert drawn[2 * GAP + SIDE + 150, GAP + 50].tolist() == [*WHITE]  # a wide image leaves the rest of its square


def test_the_sentence_says_whether_it_is_correct() -> None:
    assert title(Prediction("a", TOP)) == "predicted nine"
    assert title(Prediction("a", TOP, true="nine")) == "predicted nine: correct"
    assert title(Prediction("a", TOP, true="four")) == "predicted nine, true label four: incorrect"
    assert title(Prediction("a", TOP, unknown=True, true="four")) == "I don't know, true label four: incorrect"


def test_a_small_share_is_not_rounded_away() -> None:
    shares = [share_text(share) for share in (0.0, 1e-9, 0.0004, 0.0006, 0.5, 0.9994, 0.99999, 1.0)]
    assert shares == ["0.0 %", "<0.1 %", "<0.1 %", "0.1 %", "50.0 %", "99.9 %", ">99.9 %", "100.0 %"]
