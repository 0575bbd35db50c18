"""The journal of a search, an Optuna journal file: the trials, and the epochs of each.

Every change is one line, durable before the next is written. `files.exclusive_lock` lets only one process write at a
time, so half a line or a lock of Optuna that a killed process left behind can be removed.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock
from optuna.study import StudyDirection
from optuna.trial import TrialState, create_trial

from tellapart.errors import RunError, StorageError, first_line
from tellapart.files import atomic_write
from tellapart.read_files import MAX_LIST_BYTES, ContentError, conform, parse_json, read_content
from tellapart.recipe import Monitor
from tellapart.studies.search.space import Space, Value, distributions
from tellapart.training.fitting.checkpoints import Epoch, History

STUDY = "search"


class Journal:
    """The journal of one search. Lives while this process alone writes it."""

    def __init__(self, path: Path, monitor: Monitor) -> None:
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        path.with_name(f"{path.name}.lock").unlink(missing_ok=True)
        self._monitor = monitor
        self._storage = _open_storage(path)
        known = [study.study_name for study in self._storage.get_all_studies()]
        direction = StudyDirection.MINIMIZE if monitor == "val_loss" else StudyDirection.MAXIMIZE
        if STUDY not in known:
            self._storage.create_new_study([direction], STUDY)
        self._study = self._storage.get_study_id_from_name(STUDY)

    def enrol(self, drawn: Sequence[tuple[int, Mapping[str, Value]]], space: Space) -> None:
        """Add the bracket and the values of each trial that is not in the journal yet."""
        for bracket, values in drawn[self._storage.get_n_trials(self._study) :]:
            attributes = {"bracket": bracket}
            trial = create_trial(
                state=TrialState.RUNNING, params=dict(values), distributions=distributions(space), user_attrs=attributes
            )
            self._storage.create_new_trial(self._study, trial)

    def values(self) -> list[dict[str, Value]]:
        """Return the values of each trial, by number."""
        return [trial.params for trial in self._storage.get_all_trials(self._study, deepcopy=False)]

    def histories(self) -> list[History]:
        """Return the epochs of each trial, by number."""
        trials = self._storage.get_all_trials(self._study, deepcopy=False)
        histories = [_history(trial.user_attrs.get("history", [])) for trial in trials]
        for number, rows in self._storage.get_study_user_attrs(self._study).items():
            histories[int(number)] = _history(rows)
        return histories

    def trained(self, number: int, history: History) -> None:
        """Record the epochs of a trial, whose checkpoint must be on the disk."""
        trial = self._trial(number)
        rows = [asdict(row) for row in history]
        if self._storage.get_trial(trial).state.is_finished():  # Optuna allows no changes of it then
            self._storage.set_study_user_attr(self._study, str(number), rows)
            return
        for row in history:
            value = getattr(row, self._monitor)
            if not math.isnan(value):
                self._storage.set_trial_intermediate_value(trial, row.epoch, value)
        self._storage.set_trial_user_attr(trial, "history", rows)  # last, and marks the rest as complete

    def finish(self, number: int, value: float, *, eliminated: bool) -> None:
        """Record that a trial was eliminated or has ended; `value` is that of its best epoch."""
        trial = self._trial(number)
        if self._storage.get_trial(trial).state.is_finished():
            return
        state = TrialState.PRUNED if eliminated else TrialState.COMPLETE
        if math.isnan(value):
            self._storage.set_trial_state_values(trial, TrialState.FAIL)
        else:
            self._storage.set_trial_state_values(trial, state, [value])

    @property
    def finished(self) -> set[int]:
        """The numbers of the trials that were eliminated or have ended."""
        trials = self._storage.get_all_trials(self._study, deepcopy=False)
        return {trial.number for trial in trials if trial.state.is_finished()}

    def _trial(self, number: int) -> int:
        return self._storage.get_trial_id_from_study_id_trial_number(self._study, number)


def _history(rows: Sequence[Mapping[str, Any]]) -> History:
    try:
        history: History = conform([*rows], tuple[Epoch, ...], "history")
    except ContentError as error:
        raise RunError(
            f"the journal of the search has other epochs than it wrote ({error}): begin again with --fresh"
        ) from error
    return history


def _open_storage(path: Path) -> JournalStorage:
    """Open a journal whose every line Optuna can replay. Raises RunError."""
    try:
        _repair(path)
        return JournalStorage(JournalFileBackend(str(path), JournalFileOpenLock(str(path))))
    except StorageError:
        raise
    except Exception as error:  # Optuna raises whatever a line provokes
        raise RunError(f"{path} cannot be read ({first_line(error)}): begin again with --fresh") from error


def _repair(path: Path) -> None:
    """Cut off a line that a kill left half-written: Optuna would append the next one to it, and read neither."""
    if not path.exists():
        return
    content = read_content(path, MAX_LIST_BYTES)
    complete = b"".join(_complete_lines(content))
    if complete != content:
        atomic_write(path, complete)


def _complete_lines(content: bytes) -> Iterator[bytes]:
    for line in content.splitlines(keepends=True):
        try:
            parse_json(line, dict[str, Any], finite=False)
        except ContentError:
            return
        if not line.endswith(b"\n"):
            return
        yield line
