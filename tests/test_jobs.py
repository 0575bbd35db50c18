"""Jobs in this process, and how many cores a process may keep busy."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tellapart.errors import ImageError
from tellapart.jobs import CORES, THREADS, CommandContext, LocalJobs, cores, given_cores


class Twice:
    """Counts how often it is begun."""

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


def test_what_a_job_raises_is_raised() -> None:
    results = LocalJobs().run(Twice(), [1, 3])
    assert next(results) == 2
    with pytest.raises(ImageError, match="three"):
        next(results)


@pytest.mark.parametrize(("word", "given"), [("1", 1), ("12", 12), ("0", None), ("", None), ("-1", None), ("x", None)])
def test_a_worker_keeps_to_the_cores_it_was_given(
    monkeypatch: pytest.MonkeyPatch, word: str, given: int | None
) -> None:
    monkeypatch.setenv(CORES, word)
    assert given_cores() == given
    assert cores() == (given or lent())


def lent() -> int | None:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="only Linux lends a process some of its cores")
def test_a_container_lends_fewer_than_the_machine_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(CORES, raising=False)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 3, 5})
    assert cores() == 3


def test_alone_it_takes_them_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(CORES, raising=False)
    assert given_cores() is None
    assert cores() == lent()


def test_a_worker_takes_the_place_that_the_command_was_given_in(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("TELLAPART_DATA", "TELLAPART_WEIGHTS", *THREADS):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    monkeypatch.setenv("TELLAPART_CACHE", "mine")
    monkeypatch.setenv(CORES, "3")
    monkeypatch.setenv(THREADS[0], "7")
    monkeypatch.chdir(tmp_path)
    origin = CommandContext(str(tmp_path / "there"), {"TELLAPART_CACHE": "theirs", "TELLAPART_WEIGHTS": "weights"})
    origin.settle()
    assert Path.cwd() == tmp_path  # there is no such folder here
    (tmp_path / "there").mkdir()
    origin.settle()
    assert Path.cwd() == tmp_path / "there"
    assert (os.environ["TELLAPART_CACHE"], os.environ["TELLAPART_WEIGHTS"]) == ("mine", "weights")
    assert [os.environ[name] for name in THREADS] == ["7", "3", "3"]


def test_the_place_is_the_folder_and_the_folders_that_the_environment_names(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TELLAPART_DATA", "data")
    monkeypatch.delenv("TELLAPART_WEIGHTS", raising=False)
    origin = CommandContext.here()
    assert origin.folder == str(tmp_path)
    assert origin.variables["TELLAPART_DATA"] == "data"
    assert "TELLAPART_WEIGHTS" not in origin.variables
