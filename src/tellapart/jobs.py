"""A way to run jobs: the one seam between what is to be done and who does it.

Here is the embedded way, this process. `tellapart.scale` has another: the workers of a Ray cluster.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol, TypeVar

CORES = "TELLAPART_CORES"
THREADS = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS")
FOLDERS = ("TELLAPART_CACHE", "TELLAPART_DATA", "TELLAPART_WEIGHTS")
In = TypeVar("In")
Out = TypeVar("Out")
Work = Callable[[Iterable[In]], Iterator[Out]]
"""Gives the result of each item, once, as soon as it is there, in any order."""


class Jobs(Protocol):
    """Who does the jobs. Lives as long as there are any."""

    def run(self, begin: Callable[[], Callable[[In], Out]], items: Iterable[In]) -> Iterator[Out]:
        """Give the result of each item, once, as soon as it is there, in any order.

        A worker calls `begin` once, and what that gives for each of its items; no more items are taken than are soon
        worked on. An item whose worker was killed is another's, so a job leaves nothing that a second would stumble
        over. `begin`, items and results travel between machines: paths in them mean the same on all. Raises what a
        job raises, of TellapartError.
        """

    def workers(self, begin: Callable[[], Callable[[In], Out]]) -> AbstractContextManager[Work[In, Out]]:
        """Keep the workers for as long as the block lasts: for items that depend on the results of earlier ones.

        A round of items ends before the next; for each, all is as in `run`.
        """


class LocalJobs:
    """This process, one job after the other."""

    def run(self, begin: Callable[[], Callable[[In], Out]], items: Iterable[In]) -> Iterator[Out]:
        """See Jobs."""
        work = begin()
        return map(work, items)

    @contextmanager
    def workers(self, begin: Callable[[], Callable[[In], Out]]) -> Iterator[Work[In, Out]]:
        """See Jobs."""
        yield partial(map, begin())


@dataclass(frozen=True)
class CommandContext:
    """Where a command was given: its folder, and the folders that its environment names."""

    folder: str
    variables: Mapping[str, str]

    @staticmethod
    def here() -> "CommandContext":
        """That of this process."""
        return CommandContext(str(Path.cwd()), {name: os.environ[name] for name in FOLDERS if name in os.environ})

    def settle(self) -> None:
        """Let relative paths mean here what they mean there, and keep to the cores given; before TensorFlow is loaded.

        The folders that this machine's own environment names stay.
        """
        for name, value in self.variables.items():
            os.environ.setdefault(name, value)
        with suppress(OSError):  # absolute paths may be all there is
            os.chdir(self.folder)
        if count := given_cores():
            limit_threads(count)


def cores() -> int:
    """How many cores this process may keep busy: what a worker was given in `CORES`, else all that it is let have."""
    return given_cores() or _lent_cores()


def given_cores() -> int | None:
    """What `CORES` says, for what takes all by itself unless it is told."""
    word = os.environ.get(CORES, "")
    return int(word) if word.isdecimal() and int(word) else None


def limit_threads(count: int) -> None:
    """Let libraries that are not loaded yet take so many threads; a person's own setting wins."""
    for name in THREADS:
        os.environ.setdefault(name, str(count))


def _lent_cores() -> int:
    if hasattr(os, "sched_getaffinity"):  # Linux: fewer than the machine has, in a container or a batch job
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
