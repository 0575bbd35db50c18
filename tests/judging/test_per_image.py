"""What an evaluation says about single images."""

import importlib
from collections.abc import Sequence

import numpy as np
import pytest

from tellapart.errors import DatasetError, MissingPackageError
from tellapart.judging.evaluation import Evaluation, judge
from tellapart.judging.per_image import Mistake

CLASSES = ("cat", "dog", "path")
PROBS = np.array([[0.9, 0.1, 0.0], [0.6, 0.3, 0.1], [0.2, 0.7, 0.1], [0.05, 0.05, 0.9]])
PATHS = ("a.jpg", "b.jpg", "c.jpg", "d.jpg")


def evaluation(paths: Sequence[str] | None = PATHS) -> Evaluation:
    return judge(np.array([0, 1, 1, 0]), PROBS, CLASSES, paths=paths)


def test_mistakes_are_the_incorrect_images_and_the_most_confident_is_first() -> None:
    assert evaluation().mistakes == (
        Mistake(index=3, path="d.jpg", true="cat", predicted="path", probability=0.9, true_probability=0.05),
        Mistake(index=1, path="b.jpg", true="dog", predicted="cat", probability=0.6, true_probability=0.3),
    )


def test_without_paths_mistakes_have_their_rows() -> None:
    result = evaluation(None)
    assert (result.paths, [mistake.path for mistake in result.mistakes]) == (None, [None, None])
    assert [mistake.index for mistake in result.mistakes] == [3, 1]


@pytest.mark.parametrize("paths", [["a.jpg"], "abcd"])
def test_paths_that_do_not_match_are_refused(paths: Sequence[str]) -> None:
    with pytest.raises(DatasetError, match="give a path for each image"):
        evaluation(paths)


def test_a_frame_has_a_row_for_each_image_and_a_column_for_each_class() -> None:
    pytest.importorskip("pandas")
    frame = evaluation().to_frame()
    assert list(frame.columns) == ["path", "true", "predicted", "probability", "correct", *CLASSES]
    assert frame.iloc[:, 0].tolist() == [*PATHS]
    assert frame["predicted"].tolist() == ["cat", "cat", "dog", "path"]
    assert frame["correct"].tolist() == [True, False, True, False]
    assert frame.iloc[:, 5:].to_numpy().tolist() == PROBS.tolist()


def test_without_pandas_a_sentence_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def import_module(name: str) -> object:
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    result = evaluation()
    monkeypatch.setattr(importlib, "import_module", import_module)
    with pytest.raises(MissingPackageError, match="pip install pandas"):
        result.to_frame()
    assert len(result.mistakes) == 2
