"""Workers of jobs that all run in this process."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import cycle
from typing import TypeVar

from tellapart.jobs import Work

In = TypeVar("In")
Out = TypeVar("Out")
ENOUGH = 1_000_000


class StoppedError(Exception):
    """Stands for a kill of the process that runs the jobs."""


class FakeJobs:
    """Two workers that take items alternately, the last one first. After `most` items they stop."""

    def __init__(self, most: int = ENOUGH) -> None:
        self.left = most
        self.begun = 0
        self.done = 0

    def run(self, begin: Callable[[], Callable[[In], Out]], items: Iterable[In]) -> Iterator[Out]:
        """See Jobs."""
        with self.workers(begin) as work:
            yield from work(items)

    @contextmanager
    def workers(self, begin: Callable[[], Callable[[In], Out]]) -> Iterator[Work[In, Out]]:
        """See Jobs."""
        both = cycle([begin(), begin()])
        self.begun += 2

        def work(items: Iterable[In]) -> Iterator[Out]:
            for item in reversed(list(items)):
                if self.done == self.left:
                    raise StoppedError
                self.done += 1
                yield next(both)(item)

        yield work
