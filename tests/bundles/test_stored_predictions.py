"""What was said of each image is read again as it was, whatever its name; a damaged file gives a sentence."""

from pathlib import Path

import numpy as np
import pytest

from tellapart.bundles.stored_predictions import (
    FOLDER,
    StoredPredictions,
    predict_split,
    read_predictions,
    write_predictions,
)
from tellapart.data.images import FileImages
from tellapart.errors import RunError, StorageError

NAMES = ("a/plain.jpg", "caf\udce9.png", 'שלום, "so"\n.png', "👗.jpg", "<b>x</b>.png")
DIGESTS = tuple(f"{number:064x}" for number in range(len(NAMES)))


def some() -> StoredPredictions:
    probs = np.random.default_rng(0).dirichlet(np.ones(3), len(NAMES)).astype(np.float32)
    return StoredPredictions(NAMES, DIGESTS, np.array([0, 1, 2, 0, 1], np.int32), probs)


def test_answers_are_read_again_as_they_were_whatever_the_names(tmp_path: Path) -> None:
    written = some()
    write_predictions(tmp_path, "validation", written)
    found = read_predictions(tmp_path, "validation")
    assert found is not None
    assert (found.names, found.digests) == (NAMES, DIGESTS)
    np.testing.assert_array_equal(found.labels, written.labels)
    np.testing.assert_array_equal(found.probs, written.probs)
    assert [str(found.labels.dtype), str(found.probs.dtype)] == ["int32", "float32"]
    assert found.predicted.tolist() == written.probs.argmax(axis=1).tolist()


def test_each_split_has_its_own_and_one_that_was_not_judged_has_none(tmp_path: Path) -> None:
    assert read_predictions(tmp_path, "test") is None
    write_predictions(tmp_path, "validation", some())
    assert read_predictions(tmp_path, "test") is None
    assert [path.name for path in (tmp_path / FOLDER).iterdir()] == ["validation.npz"]


def test_they_may_be_about_no_image_at_all(tmp_path: Path) -> None:
    write_predictions(tmp_path, "test", some().take([]))
    found = read_predictions(tmp_path, "test")
    assert found is not None
    assert (found.names, found.digests, found.probs.shape) == ((), (), (0, 3))


def test_some_are_taken_in_the_order_asked_for() -> None:
    taken = some().take([3, 0, 3])
    assert taken.names == (NAMES[3], NAMES[0], NAMES[3])
    assert taken.digests == (DIGESTS[3], DIGESTS[0], DIGESTS[3])
    np.testing.assert_array_equal(taken.probs, some().probs[[3, 0, 3]])
    assert taken.labels.tolist() == [0, 0, 0]


def test_they_are_put_together_from_images() -> None:
    answers = some()
    assert predict_split(FileImages(NAMES, DIGESTS), answers.labels, answers.probs).names == NAMES


def test_whatever_byte_is_damaged_what_is_read_is_as_it_was_or_refused_with_a_sentence(tmp_path: Path) -> None:
    written = some()
    write_predictions(tmp_path, "test", written)
    file = tmp_path / FOLDER / "test.npz"
    whole = file.read_bytes()
    damaged = [whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :] for place in range(len(whole))]
    refused: list[str] = []
    for content in [*damaged, *(whole[:place] for place in range(0, len(whole), 16))]:
        file.write_bytes(content)
        try:
            found = read_predictions(tmp_path, "test")
        except RunError as error:
            refused.append(str(error))
            continue
        assert found is not None
        assert (found.names, found.digests) == (NAMES, DIGESTS)
        np.testing.assert_array_equal(found.probs, written.probs)
    assert len(refused) > len(damaged) / 2
    assert all(sentence.startswith(f"{file} cannot be read") for sentence in refused)
    assert all(sentence.endswith("copy the run again, or train it again") for sentence in refused)


def test_pickled_objects_are_not_loaded(tmp_path: Path) -> None:
    (tmp_path / FOLDER).mkdir()
    names = np.array([{"a": 1}], dtype=object)
    np.savez(tmp_path / FOLDER / "test.npz", names=names, digests=names, labels=names, probs=names)
    with pytest.raises(RunError, match="cannot be read"):
        read_predictions(tmp_path, "test")


def test_a_folder_that_cannot_be_written_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / FOLDER).touch()
    with pytest.raises(StorageError):
        write_predictions(tmp_path, "test", some())
