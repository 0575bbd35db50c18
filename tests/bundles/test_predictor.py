"""From files to answers, in order, whatever the files are."""

import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tellapart import Prediction, Predictor, Unreadable
from tellapart.data.pipeline import BATCH
from tellapart.errors import BundleError, ImageError
from tellapart.training.run import Run


@pytest.fixture(scope="module")
def predictor(trained: Run) -> Predictor:
    return Predictor(trained.bundle)


@pytest.fixture(scope="module")
def files(tiny: Path) -> list[str]:
    return [str(path) for path in sorted(tiny.rglob("*.png"))]


def as_known(answer: Prediction | Unreadable) -> Prediction:
    assert isinstance(answer, Prediction)
    return answer


@pytest.mark.parametrize("count", [0, 1, BATCH - 1, BATCH, BATCH + 1, 36])
def test_predictions_come_in_the_order_of_the_files(predictor: Predictor, files: list[str], count: int) -> None:
    some = list(reversed(files))[:count]
    assert [answer.path for answer in predictor.predict(some)] == some


@pytest.mark.parametrize("count", [3, 30])
def test_an_unreadable_file_is_reported_in_its_place(
    predictor: Predictor, files: list[str], count: int, tmp_path: Path
) -> None:
    corrupt = tmp_path / "corrupt.png"
    corrupt.write_bytes(Path(files[0]).read_bytes()[:60])
    mixed = [str(corrupt), *files[:count], str(corrupt), "absent.png", *files[:2], str(tmp_path)]
    answers = list(predictor.predict(mixed))
    assert [answer.path for answer in answers] == mixed
    unread = [i for i, answer in enumerate(answers) if isinstance(answer, Unreadable)]
    assert unread == [0, count + 1, count + 2, len(mixed) - 1]
    assert all(answers[i].as_json().keys() == {"path", "error"} for i in unread)
    assert "No such file" in answers[count + 2].as_json()["error"]


def test_only_unreadable_files_are_all_reported(predictor: Predictor) -> None:
    answers = list(predictor.predict(["a.png"] * 20))
    assert len(answers) == 20
    assert all(isinstance(answer, Unreadable) for answer in answers)


def test_a_prediction_does_not_depend_on_the_number_of_images(predictor: Predictor, files: list[str]) -> None:
    many = [as_known(answer) for answer in predictor.predict(files, top=3)]
    for path, among_many in zip(files[:3], many, strict=False):
        alone = as_known(next(iter(list(predictor.predict([path], top=3)))))
        as_bytes = predictor.predict_one(Path(path).read_bytes(), path=path, top=3)
        for other in (alone, as_bytes):
            assert [choice.label for choice in other.top] == [choice.label for choice in among_many.top]
            expected = [choice.probability for choice in among_many.top]
            np.testing.assert_allclose([choice.probability for choice in other.top], expected, atol=1e-5)


@pytest.mark.parametrize(("top", "given"), [(1, 1), (2, 2), (3, 3), (10, 3)])
def test_top_lists_the_most_likely_classes_first(predictor: Predictor, files: list[str], top: int, given: int) -> None:
    answer = as_known(next(iter(list(predictor.predict(files[:1], top=top)))))
    probabilities = [choice.probability for choice in answer.top]
    assert len(probabilities) == given
    assert probabilities == sorted(probabilities, reverse=True)
    assert (answer.label, answer.probability) == (answer.top[0].label, probabilities[0])
    if given == 3:
        assert sum(probabilities) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("top", [0, -1])
def test_at_least_one_class_is_returned(predictor: Predictor, files: list[str], top: int) -> None:
    answer = as_known(next(iter(list(predictor.predict(files[:1], top=top)))))
    assert answer.as_json()["label"] == answer.label
    assert len(answer.top) == 1


def test_json_has_the_documented_shape(predictor: Predictor, files: list[str]) -> None:
    answer = predictor.predict_one(Path(files[0]).read_bytes(), path="x", top=2).as_json()
    assert list(answer) == ["path", "label", "probability", "unknown", "top"]
    assert answer["top"][0] == {"label": answer["label"], "probability": answer["probability"]}
    assert isinstance(answer["probability"], float)


def test_bytes_that_are_not_an_image_raise(predictor: Predictor) -> None:
    with pytest.raises(ImageError):
        predictor.predict_one(b"no image", path="x")


def test_files_are_read_no_faster_than_predictions_are_consumed(predictor: Predictor, files: list[str]) -> None:
    taken = 0

    def endless() -> Iterator[str]:
        nonlocal taken
        while True:
            taken += 1
            yield files[taken % len(files)]

    answers = predictor.predict(endless())
    for _ in range(100):
        next(answers)
    assert taken < 100 + 40 * BATCH
    answers.close()  # type: ignore[attr-defined]


def test_an_abandoned_prediction_can_be_followed_by_another(predictor: Predictor, files: list[str]) -> None:
    for answer in predictor.predict(files):
        assert answer.path == files[0]
        break
    assert len(list(predictor.predict(files))) == 36


def test_several_threads_get_their_own_predictions(predictor: Predictor, files: list[str]) -> None:
    expected = [as_known(answer).top for answer in predictor.predict(files)]
    results: dict[int, list[object]] = {}

    def ask(number: int) -> None:
        results[number] = [as_known(answer).top for answer in predictor.predict(files)]

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert [results.get(number) for number in range(4)] == [expected] * 4


def test_a_damaged_bundle_is_refused_before_anything_is_compiled(trained: Run, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="is not a bundle"):
        Predictor(tmp_path)
    folder = Path(shutil.copytree(trained.bundle.folder, tmp_path / "bundle"))
    (folder / "model.xml").write_bytes(b"<net>")
    with pytest.raises(BundleError, match=r"model\.xml is not the file that was written"):
        Predictor(folder)


def test_a_run_stands_for_its_bundle(trained: Run, tiny: Path) -> None:
    content = next(tiny.rglob("*.png")).read_bytes()
    by_run, by_bundle = (Predictor(folder).predict_one(content) for folder in (trained.folder, trained.bundle.folder))
    assert by_run.as_json() == by_bundle.as_json()
