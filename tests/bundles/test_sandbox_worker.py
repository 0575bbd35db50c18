"""What the process that runs a bundle first says of graphs that lie. Here it runs in this process."""

from pathlib import Path

import numpy as np
import pytest

from tellapart.bundles.sandbox_worker import problem

from . import lying_graphs
from .lying_graphs import Answers, write_lie


def message(folder: Path) -> str:
    found = problem(folder)
    assert found is not None
    assert found["kind"] == "BundleError"
    assert "\n" not in found["message"]
    return found["message"]


def test_an_honest_graph_is_accepted(tmp_path: Path) -> None:
    assert problem(write_lie(tmp_path / "bundle", lying_graphs.honest)) is None


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        (lying_graphs.not_numbers, "numbers from nan to nan"),
        (lying_graphs.beyond_one, "add up to 1; expected probabilities"),
        (lying_graphs.half_the_sum, "that add up to 0.5; expected probabilities"),
        (lying_graphs.one_for_all, "answers 2 images with numbers of shape (1, 2), expected (2, 2)"),
        (lying_graphs.another_rank, "is not a graph from images to (n, classes)"),
        (lying_graphs.whole_numbers, "is not a graph from images to (n, classes)"),
    ],
)
def test_a_graph_that_answers_no_probabilities_is_refused(answers: Answers, expected: str, tmp_path: Path) -> None:
    assert expected in message(write_lie(tmp_path / "bundle", answers))


def test_a_graph_that_takes_something_else_is_refused(tmp_path: Path) -> None:
    two = write_lie(tmp_path / "two", lying_graphs.honest, extra_input=True)
    floats = write_lie(tmp_path / "floats", lying_graphs.honest, taken=np.float32)
    assert "is not a graph from images to (n, classes)" in message(two)
    assert "is not a graph from images to (n, classes)" in message(floats)
