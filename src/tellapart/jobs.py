"""A way to run jobs: the one seam between what is to be done and who does it.

Here is the embedded way, this process. `tellapart.scale` has another: the workers of a Ray cluster.
"""

import os
from collections.abc import Callable, Iterable, Iterator
from typing import Protocol, TypeVar

CORES = "TELLAPART_CORES"
In = TypeVar("In")
Out = TypeVar("Out")


class Jobs(Protocol):
    """Who does the jobs. Lives as long as there are any."""

    def run(self, begin: Callable[[], Callable[[In], Out]], items: Iterable[In]) -> Iterator[Out]:
        """Give the result of each item, once, as soon as it is there, in any order.

        A worker calls `begin` once, and what that gives for each of its items; no more items are taken than are soon
        worked on. An item whose worker was killed is another's, so a job leaves nothing that a second would stumble
        over. `begin`, items and results travel between machines: paths in them mean the same on all. Raises what a
        job raises, of TellapartError.
        """


class Here:
    """This process, one job after the other."""

    def run(self, begin: Callable[[], Callable[[In], Out]], items: Iterable[In]) -> Iterator[Out]:
        """See Jobs."""
        work = begin()
        return map(work, items)


def cores() -> int:
    """How many cores this process may keep busy: all of the machine, or what a worker was given in `CORES`."""
    return given_cores() or os.cpu_count() or 1


def given_cores() -> int | None:
    """What `CORES` says, for what takes all by itself unless it is told."""
    word = os.environ.get(CORES, "")
    return int(word) if word.isdecimal() and int(word) else None
