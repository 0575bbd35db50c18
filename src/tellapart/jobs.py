"""Jobs: the seam between work that is divided into items and the workers that do it.

This module runs jobs in the calling process; `tellapart.scale` runs them on the workers of a Ray cluster.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol, TypeVar

CORES = "TELLAPART_CORES"  # an environment variable, as are the next
THREADS = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS")
SETTINGS = ("TELLAPART_CACHE", "TELLAPART_DATA", "TELLAPART_WEIGHTS", "TELLAPART_MAX_PIXELS")
In = TypeVar("In")
Out = TypeVar("Out")
Work = Callable[[Iterable[In]], Iterator[Out]]
"""Yields the result of each item once, in any order, as soon as it is ready."""


class Jobs(Protocol):
    """Workers that run jobs. Lives as long as there are jobs to run."""

    def run(self, begin: Callable[[], Callable[[In], Out]], items: Iterable[In]) -> Iterator[Out]:
        """Yield the result of each item once, in any order, as soon as it is ready.

        Each worker calls `begin` once, and the function it returns for each of its items. Items are taken only as fast
        as workers need them. When a worker is killed its item goes to another, so a job must be safe to repeat.
        `begin`, items and results travel between machines: paths in them mean the same on all. Raises the
        TellapartError that a job raises.
        """

    def workers(self, begin: Callable[[], Callable[[In], Out]]) -> AbstractContextManager[Work[In, Out]]:
        """Keep the workers alive inside the block, for items that depend on the results of earlier ones.

        Each batch of items ends before the next begins; otherwise as in `run`.
        """


class LocalJobs:
    """Jobs run in this process, one after the other."""

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
    """The working directory of a command, and the folders and limits that its environment variables name."""

    folder: str
    variables: Mapping[str, str]

    @staticmethod
    def here() -> "CommandContext":
        """Return the context of this process."""
        return CommandContext(str(Path.cwd()), {name: os.environ[name] for name in SETTINGS if name in os.environ})

    def apply(self) -> None:
        """Make relative paths mean the same in this process, and limit its threads; call before TensorFlow is loaded.

        Variables that this machine sets itself are kept.
        """
        for name, value in self.variables.items():
            os.environ.setdefault(name, value)
        with suppress(OSError):  # all paths may be absolute
            os.chdir(self.folder)
        if count := assigned_cores():
            limit_threads(count)


def cores() -> int:
    """Return how many cores this process may use: those assigned to it by `CORES`, else all that are available."""
    return assigned_cores() or _available_cores()


def assigned_cores() -> int | None:
    """Return the value of `CORES`; None when it is unset or no positive number."""
    value = os.environ.get(CORES, "")
    return int(value) if value.isdecimal() and int(value) else None


def limit_threads(count: int) -> None:
    """Set the thread count of libraries that are not loaded yet; the user's own setting wins."""
    for name in THREADS:
        os.environ.setdefault(name, str(count))


def _available_cores() -> int:
    if hasattr(os, "sched_getaffinity"):  # Linux: may be fewer than the machine has, in a container or a batch job
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
