"""Jobs in this process, and how many cores a process may keep busy."""

import os
from collections.abc import Callable

import pytest

from tellapart.errors import PictureError
from tellapart.jobs import CORES, Here, cores, given_cores


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
            raise PictureError("three")
        return 2 * item


def test_a_worker_begins_once_and_does_each_job() -> None:
    twice = Twice()
    assert list(Here().run(twice, (item for item in (1, 2, 4)))) == [2, 4, 8]
    assert twice.begun == 1


def test_what_a_job_raises_is_raised() -> None:
    results = Here().run(Twice(), [1, 3])
    assert next(results) == 2
    with pytest.raises(PictureError, match="three"):
        next(results)


@pytest.mark.parametrize(("word", "given"), [("1", 1), ("12", 12), ("0", None), ("", None), ("-1", None), ("x", None)])
def test_a_worker_keeps_to_the_cores_it_was_given(
    monkeypatch: pytest.MonkeyPatch, word: str, given: int | None
) -> None:
    monkeypatch.setenv(CORES, word)
    assert given_cores() == given
    assert cores() == (given or os.cpu_count())


def test_alone_it_takes_them_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(CORES, raising=False)
    assert given_cores() is None
    assert cores() == os.cpu_count()
