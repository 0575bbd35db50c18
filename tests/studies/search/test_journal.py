"""The log of a search: what is in it, and what a kill leaves of it."""

from functools import partial
from pathlib import Path

import pytest

from tellapart.errors import RunError
from tellapart.files import exclusive_lock
from tellapart.recipe import Recipe
from tellapart.studies.search.journal import Journal
from tellapart.studies.search.space import Value, parse_space
from tellapart.training.fitting.checkpoints import Epoch, History

SPACE = parse_space(["units=4:64", "optimizer=adam,sgd", "dropout=0:0.5"], Recipe(model="mlp"))
DRAWN: list[tuple[int, dict[str, Value]]] = [
    (1, {"dropout": 0.1234567890123456, "optimizer": "sgd", "units": 7}),
    (0, {"dropout": 0.0, "optimizer": "adam", "units": 64}),
]


def history(epochs: int, loss: float = 0.5) -> History:
    return tuple(Epoch(i + 1, 1.0, 0.5, loss / (i + 1), 0.5, 0.01, 0.1) for i in range(epochs))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A journal with two trials, of which the first has had two epochs."""
    path = tmp_path / "journal.log"
    journal = Journal(path, "val_loss")
    journal.enrol(DRAWN, SPACE)
    journal.trained(0, history(2))
    return path


def test_a_reopened_journal_has_what_was_written(path: Path) -> None:
    journal = Journal(path, "val_loss")
    assert journal.values() == [values for _, values in DRAWN]
    assert journal.histories() == [history(2), ()]
    journal.enrol(DRAWN, SPACE)
    assert len(journal.values()) == 2
    journal.finish(0, 0.25, eliminated=True)
    journal.finish(0, 0.25, eliminated=True)
    assert Journal(path, "val_loss").finished == {0}


def test_a_finished_trial_may_be_trained_further(path: Path) -> None:
    journal = Journal(path, "val_loss")
    journal.finish(0, 0.25, eliminated=True)
    journal.trained(0, history(4))
    assert Journal(path, "val_loss").histories() == [history(4), ()]


def test_a_diverged_trial_is_finished_too(path: Path) -> None:
    journal = Journal(path, "val_loss")
    journal.trained(1, history(1, loss=float("nan")))
    journal.finish(1, float("nan"), eliminated=True)
    assert Journal(path, "val_loss").finished == {1}


def test_a_journal_cut_at_any_byte_loses_only_its_last_line(path: Path) -> None:
    whole = path.read_bytes()
    for end in range(0, len(whole), 97):
        path.write_bytes(whole[:end])
        journal = Journal(path, "val_loss")
        lines = whole[:end].count(b"\n")  # the first makes the study, the next two the trials
        assert len(journal.values()) == min(max(lines - 1, 0), 2)
        journal.enrol(DRAWN, SPACE)
        journal.trained(0, history(2))
        again = Journal(path, "val_loss")
        assert again.values() == [values for _, values in DRAWN]
        assert again.histories() == [history(2), ()]


def test_a_lock_left_by_a_killed_process_is_removed(path: Path) -> None:
    path.with_name("journal.log.lock").touch()
    journal = Journal(path, "val_loss")
    journal.trained(1, history(1))
    assert journal.histories()[1] == history(1)


def test_a_relative_path_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Journal(Path("journal.log"), "val_accuracy").enrol(DRAWN, SPACE)
    assert len(Journal(Path("journal.log"), "val_accuracy").values()) == 2


def test_two_searches_cannot_use_one_folder(tmp_path: Path) -> None:
    lock, held = tmp_path / "new" / ".lock", partial(exclusive_lock, holder="a search", otherwise="name another --out")
    with held(lock), pytest.raises(RunError, match="a search is at work in"), held(lock):
        pass
    with held(lock):  # it is free again
        pass


@pytest.mark.parametrize("line", ['{"op_code": 99}', '{"op_code": 4, "trial_id": "x"}', "{}"])
def test_lines_that_cannot_be_replayed_are_refused(path: Path, line: str) -> None:
    path.write_text(path.read_text() + line + "\n")
    with pytest.raises(RunError, match="begin again with --fresh"):
        Journal(path, "val_loss")


def test_a_journal_that_is_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "journal.log").mkdir()
    with pytest.raises(RunError, match="expected a file"):
        Journal(tmp_path / "journal.log", "val_loss")
