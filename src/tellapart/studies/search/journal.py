"""The log of a search, kept by Optuna: which trials there are, and how far each has come.

Every change is one line that is made durable before the next begins. Only one process writes it at a time, which
`files.alone` sees to: what a killed one left, half a line or Optuna's own lock, is therefore nobody's and is removed.
"""

import json
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

from tellapart.files import atomic_write
from tellapart.recipe import Monitor
from tellapart.studies.search.space import Space, Value, distributions
from tellapart.training.checkpoints import Epoch, History

STUDY = "search"


class Journal:
    """The log of one search. Lives while this process alone writes it."""

    def __init__(self, path: Path, monitor: Monitor) -> None:
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        path.with_name(f"{path.name}.lock").unlink(missing_ok=True)
        _mend(path)
        self._monitor = monitor
        self._storage = JournalStorage(JournalFileBackend(str(path), JournalFileOpenLock(str(path))))
        known = [study.study_name for study in self._storage.get_all_studies()]
        direction = StudyDirection.MINIMIZE if monitor == "val_loss" else StudyDirection.MAXIMIZE
        if STUDY not in known:
            self._storage.create_new_study([direction], STUDY)
        self._study = self._storage.get_study_id_from_name(STUDY)

    def enrol(self, drawn: Sequence[tuple[int, Mapping[str, Value]]], space: Space) -> None:
        """Write down each trial's bracket and values, those that are not there yet."""
        for bracket, values in drawn[self._storage.get_n_trials(self._study) :]:
            facts = {"bracket": bracket}
            trial = create_trial(
                state=TrialState.RUNNING, params=dict(values), distributions=distributions(space), user_attrs=facts
            )
            self._storage.create_new_trial(self._study, trial)

    def values(self) -> list[dict[str, Value]]:
        """The values of each trial, by number."""
        return [trial.params for trial in self._storage.get_all_trials(self._study, deepcopy=False)]

    def histories(self) -> list[History]:
        """How far each trial has come, by number."""
        trials = self._storage.get_all_trials(self._study, deepcopy=False)
        found = [_history(trial.user_attrs.get("history", [])) for trial in trials]
        for number, rows in self._storage.get_study_user_attrs(self._study).items():
            found[int(number)] = _history(rows)
        return found

    def trained(self, number: int, history: History) -> None:
        """A trial has had these epochs, and its checkpoint is on the disk."""
        trial = self._trial(number)
        rows = [asdict(row) for row in history]
        if self._storage.get_trial(trial).state.is_finished():  # Optuna shuts its own record then
            self._storage.set_study_user_attr(self._study, str(number), rows)
            return
        for row in history:
            value = getattr(row, self._monitor)
            if not math.isnan(value):
                self._storage.set_trial_intermediate_value(trial, row.epoch, value)
        self._storage.set_trial_user_attr(trial, "history", rows)  # says that all of it is done

    def finish(self, number: int, value: float, *, eliminated: bool) -> None:
        """A trial is out of the race, or through it; `value` is that of its best epoch."""
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
        """The numbers of the trials that are out of the race, or through it."""
        trials = self._storage.get_all_trials(self._study, deepcopy=False)
        return {trial.number for trial in trials if trial.state.is_finished()}

    def _trial(self, number: int) -> int:
        return self._storage.get_trial_id_from_study_id_trial_number(self._study, number)


def _history(rows: Sequence[Mapping[str, Any]]) -> History:
    return tuple(Epoch(**row) for row in rows)


def _mend(path: Path) -> None:
    """Cut off a line that a kill left half-written: Optuna would write the next one behind it, and read neither."""
    if not path.exists():
        return
    content = path.read_bytes()
    whole = b"".join(line for line in _whole_lines(content))
    if whole != content:
        atomic_write(path, whole)


def _whole_lines(content: bytes) -> Iterator[bytes]:
    for line in content.splitlines(keepends=True):
        try:
            json.loads(line)
        except ValueError:
            return
        if not line.endswith(b"\n"):
            return
        yield line
