"""Stored predictions are read back unchanged, whatever the file names; a damaged file is an error."""

from dataclasses import replace
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


def test_predictions_are_read_back_unchanged(tmp_path: Path) -> None:
    written = some()
    write_predictions(tmp_path, "validation", written)
    predictions = read_predictions(tmp_path, "validation")
    assert predictions is not None
    assert (predictions.names, predictions.digests) == (NAMES, DIGESTS)
    np.testing.assert_array_equal(predictions.labels, written.labels)
    np.testing.assert_array_equal(predictions.probs, written.probs)
    assert [str(predictions.labels.dtype), str(predictions.probs.dtype)] == ["int32", "float32"]
    assert predictions.predicted.tolist() == written.probs.argmax(axis=1).tolist()


def test_each_split_has_its_own_predictions_or_none(tmp_path: Path) -> None:
    assert read_predictions(tmp_path, "test") is None
    write_predictions(tmp_path, "validation", some())
    assert read_predictions(tmp_path, "test") is None
    assert [path.name for path in (tmp_path / FOLDER).iterdir()] == ["validation.npz"]


def test_predictions_may_be_empty(tmp_path: Path) -> None:
    write_predictions(tmp_path, "test", some().take([]))
    predictions = read_predictions(tmp_path, "test")
    assert predictions is not None
    assert (predictions.names, predictions.digests, predictions.probs.shape) == ((), (), (0, 3))


def test_take_selects_in_the_given_order() -> None:
    taken = some().take([3, 0, 3])
    assert taken.names == (NAMES[3], NAMES[0], NAMES[3])
    assert taken.digests == (DIGESTS[3], DIGESTS[0], DIGESTS[3])
    np.testing.assert_array_equal(taken.probs, some().probs[[3, 0, 3]])
    assert taken.labels.tolist() == [0, 0, 0]


def test_predictions_are_created_from_images() -> None:
    answers = some()
    assert predict_split(FileImages(NAMES, DIGESTS), answers.labels, answers.probs).names == NAMES


def test_a_damaged_byte_is_an_error_or_harmless(tmp_path: Path) -> None:
    written = some()
    write_predictions(tmp_path, "test", written)
    file = tmp_path / FOLDER / "test.npz"
    whole = file.read_bytes()
    damaged = [whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :] for place in range(len(whole))]
    refused: list[str] = []
    for content in [*damaged, *(whole[:place] for place in range(0, len(whole), 16))]:
        file.write_bytes(content)
        try:
            predictions = read_predictions(tmp_path, "test")
        except RunError as error:
            refused.append(str(error))
            continue
        assert predictions is not None
        assert (predictions.names, predictions.digests) == (NAMES, DIGESTS)
        np.testing.assert_array_equal(predictions.probs, written.probs)
    assert len(refused) > len(damaged) / 2
    assert all(sentence.startswith(f"{file} cannot be read") for sentence in refused)
    assert all(sentence.endswith("copy the run again, or train it again") for sentence in refused)


def test_pickled_objects_are_not_loaded(tmp_path: Path) -> None:
    (tmp_path / FOLDER).mkdir()
    names = np.array([{"a": 1}], dtype=object)
    np.savez(tmp_path / FOLDER / "test.npz", names=names, digests=names, labels=names, probs=names)
    with pytest.raises(RunError, match="cannot be read"):
        read_predictions(tmp_path, "test")


def test_an_unwritable_folder_is_an_error(tmp_path: Path) -> None:
    (tmp_path / FOLDER).touch()
    with pytest.raises(StorageError):
        write_predictions(tmp_path, "test", some())


def test_groups_are_kept_where_they_are_known(tmp_path: Path) -> None:
    groups = ("anna", "bo\udcff", "anna", "", "🎈")
    write_predictions(tmp_path, "test", replace(some(), groups=groups))
    predictions = read_predictions(tmp_path, "test")
    assert predictions is not None
    assert predictions.groups == groups
    assert predictions.take([2, 4]).groups == ("anna", "🎈")
    write_predictions(tmp_path, "validation", some())
    without = read_predictions(tmp_path, "validation")
    assert without is not None
    assert without.groups is None
    with np.load(tmp_path / FOLDER / "validation.npz") as archive:
        assert "groups" not in archive
