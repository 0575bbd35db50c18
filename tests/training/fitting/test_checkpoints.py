"""Checkpoints: whole or absent, named by epoch, loss and accuracy."""

from pathlib import Path

import numpy as np
import pytest

from tellapart.errors import RunError
from tellapart.training.fitting import checkpoints
from tellapart.training.fitting.checkpoints import Epoch, History
from tellapart.training.run import Run


def history(length: int, *, loss: float = 0.5) -> History:
    return tuple(Epoch(n, loss, 0.5, loss, 0.5, 0.1, 1.0) for n in range(1, length + 1))


def test_a_state_comes_back_as_it_was(tmp_path: Path) -> None:
    state = [
        np.arange(6.0).reshape(2, 3),
        np.array(7),
        np.array([1, 2], np.uint32),
        *(np.full(2, i) for i in range(12)),
    ]
    checkpoints.write(tmp_path, history(3), state)
    (found,) = checkpoints.found(tmp_path)
    assert found.epoch == 3
    assert found.history == history(3)
    for mine, yours in zip(state, found.state(), strict=True):
        assert mine.dtype == yours.dtype
        np.testing.assert_array_equal(mine, yours)


def test_the_name_carries_epoch_loss_and_accuracy(tmp_path: Path) -> None:
    checkpoints.write(tmp_path, history(12, loss=0.12345), [])
    assert [path.name for path in tmp_path.iterdir()] == ["epoch-0012-val_loss-0.1235-val_accuracy-0.5000"]


@pytest.mark.parametrize("loss", [float("nan"), float("inf"), 1e30, 0.0])
def test_a_checkpoint_is_found_whatever_its_value(tmp_path: Path, loss: float) -> None:
    checkpoints.write(tmp_path, history(2, loss=loss), [])
    assert [one.epoch for one in checkpoints.found(tmp_path)] == [2]


@pytest.mark.parametrize("name", ["epoch-0002-val_accuracy-0.8000", "epoch-0002-loss-nan"])
def test_a_checkpoint_of_an_older_version_is_found_by_its_name_of_one_value(tmp_path: Path, name: str) -> None:
    checkpoints.write(tmp_path, history(2), []).folder.rename(tmp_path / name)
    assert [one.folder.name for one in checkpoints.found(tmp_path)] == [name]
    checkpoints.keep_only(tmp_path, {3})
    assert not (tmp_path / name).exists()


def test_they_come_oldest_first_also_beyond_9999(tmp_path: Path) -> None:
    for length in (10_000, 9_999, 2):
        checkpoints.write(tmp_path, history(length), [])
    assert [one.epoch for one in checkpoints.found(tmp_path)] == [2, 9_999, 10_000]


def test_all_but_those_wanted_are_removed_and_other_folders_are_left(tmp_path: Path) -> None:
    for length in (1, 2, 3):
        checkpoints.write(tmp_path, history(length), [])
    (tmp_path / "epoch-notes").mkdir()
    checkpoints.keep_only(tmp_path, {1, 3})
    assert [one.epoch for one in checkpoints.found(tmp_path)] == [1, 3]
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith(("epoch-n", "."))) == ["epoch-notes"]


def test_a_damaged_checkpoint_is_refused_with_what_to_do(tmp_path: Path) -> None:
    one = checkpoints.write(tmp_path, history(2), [])
    (one.folder / "history.json").write_text("[{]")
    with pytest.raises(RunError, match=r"cannot be read .* remove that folder to continue without it"):
        checkpoints.found(tmp_path)


@pytest.mark.parametrize("damage", ["truncated", "absent", "of another network"])
def test_a_damaged_state_is_refused_with_what_to_do(tmp_path: Path, damage: str) -> None:
    one = checkpoints.write(tmp_path, history(2), [np.zeros(100)])
    file = one.folder / "state.npz"
    if damage == "truncated":
        file.write_bytes(file.read_bytes()[:50])
    elif damage == "absent":
        file.unlink()
    else:
        file.write_bytes(b"PK\x05\x06 no archive")
    with pytest.raises(RunError, match=r"cannot be read .* remove that folder to continue without it"):
        one.state()


HEADER = "epoch,loss,accuracy,val_loss,val_accuracy,learning_rate,seconds"


def test_a_history_is_read_as_it_was_written(tmp_path: Path) -> None:
    (tmp_path / "history.csv").write_text(f"{HEADER}\n1,0.5,0.25,0.75,0.5,0.001,2.0\n2,nan,1,,,1e-05,0.1\n")
    first, second = checkpoints.read_history(tmp_path / "history.csv")
    assert first == Epoch(1, 0.5, 0.25, 0.75, 0.5, 0.001, 2.0)
    assert np.isnan(second.loss)
    assert (second.epoch, second.val_loss, second.val_accuracy, second.learning_rate) == (2, None, None, 1e-05)


def test_a_run_leaves_a_history_that_can_be_read(trained: Run) -> None:
    found = checkpoints.read_history(trained.folder / "history.csv")
    assert [row.epoch for row in found] == [1, 2, 3, 4]
    assert all(row.val_loss is not None and row.loss > 0 for row in found)


@pytest.mark.parametrize(
    "row", ["1,0.5", "1.5,1,1,1,1,1,1", ",1,1,1,1,1,1", "1,,1,1,1,1,1", "1,1,1,1,1,1,soon", "1,1,1,x,1,1,1"]
)
def test_a_history_that_is_cut_short_or_altered_is_refused(tmp_path: Path, row: str) -> None:
    (tmp_path / "history.csv").write_text(f"{HEADER}\n{row}\n")
    with pytest.raises(RunError, match=r"history\.csv cannot be read .* remove it, or train again"):
        checkpoints.read_history(tmp_path / "history.csv")


def test_a_history_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="cannot be read"):
        checkpoints.read_history(tmp_path / "history.csv")
