"""Jobs in this process, and how many cores a process may keep busy."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tellapart.errors import ImageError
from tellapart.jobs import CORES, THREADS, CommandContext, LocalJobs, assigned_cores, cores


class Twice:
    """Doubles items, and counts how often a worker begins."""

    def __init__(self) -> None:
        self.begun = 0

    def __call__(self) -> Callable[[int], int]:
        """Begin."""
        self.begun += 1
        return self.double

    @staticmethod
    def double(item: int) -> int:
        """Twice an item; three is refused."""
        if item == 3:
            raise ImageError("three")
        return 2 * item


def test_a_worker_begins_once_and_does_each_job() -> None:
    twice = Twice()
    assert list(LocalJobs().run(twice, (item for item in (1, 2, 4)))) == [2, 4, 8]
    assert twice.begun == 1


def test_workers_begin_once_for_several_rounds() -> None:
    twice = Twice()
    with LocalJobs().workers(twice) as work:
        first = list(work([1, 2]))
        assert list(work(first)) == [4, 8]
    assert twice.begun == 1


def test_the_error_of_a_job_is_raised() -> None:
    results = LocalJobs().run(Twice(), [1, 3])
    assert next(results) == 2
    with pytest.raises(ImageError, match="three"):
        next(results)


@pytest.mark.parametrize(
    ("value", "expected"), [("1", 1), ("12", 12), ("0", None), ("", None), ("-1", None), ("x", None)]
)
def test_a_worker_uses_the_cores_assigned_to_it(
    monkeypatch: pytest.MonkeyPatch, value: str, expected: int | None
) -> None:
    monkeypatch.setenv(CORES, value)
    assert assigned_cores() == expected
    assert cores() == (expected or available_cores())


def available_cores() -> int | None:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="only Linux limits a process to some cores")
def test_a_container_may_have_fewer_cores_than_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(CORES, raising=False)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 3, 5})
    assert cores() == 3


def test_without_an_assignment_all_available_cores_are_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(CORES, raising=False)
    assert assigned_cores() is None
    assert cores() == available_cores()


def test_a_worker_applies_the_context_of_the_command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("TELLAPART_DATA", "TELLAPART_WEIGHTS", *THREADS):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    monkeypatch.setenv("TELLAPART_CACHE", "mine")
    monkeypatch.setenv(CORES, "3")
    monkeypatch.setenv(THREADS[0], "7")
    monkeypatch.chdir(tmp_path)
    context = CommandContext(str(tmp_path / "there"), {"TELLAPART_CACHE": "theirs", "TELLAPART_WEIGHTS": "weights"})
    context.apply()
    assert Path.cwd() == tmp_path  # the folder does not exist here
    (tmp_path / "there").mkdir()
    context.apply()
    assert Path.cwd() == tmp_path / "there"
    assert (os.environ["TELLAPART_CACHE"], os.environ["TELLAPART_WEIGHTS"]) == ("mine", "weights")
    assert [os.environ[name] for name in THREADS] == ["7", "3", "3"]


def test_the_context_is_the_working_directory_and_the_folders_of_the_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TELLAPART_DATA", "data")
    monkeypatch.delenv("TELLAPART_WEIGHTS", raising=False)
    context = CommandContext.here()
    assert context.folder == str(tmp_path)
    assert context.variables["TELLAPART_DATA"] == "data"
    assert "TELLAPART_WEIGHTS" not in context.variables
