"""Jobs in several processes: each item once, whatever happens to those who work on it."""

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tellapart.errors import ImageError, RunError
from tellapart.jobs import assigned_cores
from tellapart.process_jobs import ProcessJobs


@dataclass(frozen=True)
class Doubling:
    """Twice an item, the worker's process and its cores; 3 is refused, and 4 kills its worker, or only the first."""

    killed: Path | None = None

    def __call__(self) -> Callable[[int], tuple[int, int, int | None]]:
        """Begin."""
        return self.double

    def double(self, item: int) -> tuple[int, int, int | None]:
        """Work on an item."""
        if item == 3:
            raise ImageError("three")
        if item == 4 and not (self.killed and self.killed.exists()):
            if self.killed:
                self.killed.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return 2 * item, os.getpid(), assigned_cores()


def test_each_item_is_done_once_by_processes_that_share_the_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tellapart.process_jobs.cores", lambda: 5)
    with ProcessJobs(2).workers(Doubling()) as work:
        first = list(work(range(3)))
        results = [*first, *work([5, 6])]
    assert sorted(double for double, _, _ in results) == [0, 2, 4, 10, 12]
    assert os.getpid() not in {process for _, process, _ in results}
    assert len({process for _, process, _ in results}) <= 2
    assert {cores for _, _, cores in results} == {2}
    assert not multiprocessing.active_children()


def test_no_more_items_are_taken_than_there_are_workers() -> None:
    taken: list[int] = []

    def items() -> Iterator[int]:
        for number in (0, 1, 2, 5, 6):
            taken.append(number)
            yield number

    results = ProcessJobs(2).run(Doubling(), items())
    first, *_ = next(results)
    assert len(taken) == 2
    assert sorted([first, *(double for double, *_ in results)]) == [0, 2, 4, 10, 12]


def test_an_error_of_a_job_is_raised() -> None:
    with pytest.raises(ImageError, match="three"):
        list(ProcessJobs(2).run(Doubling(), [1, 3]))
    assert not multiprocessing.active_children()


def test_another_worker_repeats_the_job_of_a_killed_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    results = list(ProcessJobs(2).run(Doubling(tmp_path / "killed"), range(4, 8)))
    assert sorted(double for double, _, _ in results) == [8, 10, 12, 14]
    assert capsys.readouterr().err.count("a worker was killed: another repeats its job") == 1


def test_a_job_that_kills_every_worker_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tellapart.process_jobs.MAX_RETRIES", 1)
    with pytest.raises(RunError, match="2 workers were killed at the same job: is there enough memory"):
        list(ProcessJobs(2).run(Doubling(), [4]))
