"""Jobs on the workers of a Ray cluster: Ray starts, balances and repeats, none of which is done here."""

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from types import ModuleType
from typing import Any, TypeVar

from tellapart.errors import ClusterError, TellapartError, first_line, require
from tellapart.jobs import CORES

In = TypeVar("In")
Out = TypeVar("Out")
Actors = Any
"""Ray's, and below what comes out of them: their types are known only where Ray is installed."""
Result = Any
REPEATS = 10  # of one job whose worker was killed: more, and it is the job that kills it


@dataclass(frozen=True)
class Pool:
    """Workers with a core each. Lives as long as the cluster is joined."""

    ray: ModuleType
    count: int

    def run(self, begin: Callable[[], Callable[[In], Out]], items: Iterable[In]) -> Iterator[Out]:
        """See Jobs. An item is taken when a worker has none. Raises ClusterError where a job kills its workers."""
        rest = iter(items)
        with self._workers(begin) as workers:
            for item in islice(rest, self.count):
                workers.submit(_do, item)
            while workers.has_next():
                result = self._next(workers)
                for item in islice(rest, 1):
                    workers.submit(_do, item)
                yield result

    @contextmanager
    def _workers(self, begin: Callable[[], Callable[[In], Out]]) -> Iterator[Actors]:
        kind = self.ray.remote(num_cpus=1, max_restarts=-1, max_task_retries=REPEATS)(Worker)
        workers = [kind.remote(begin) for _ in range(self.count)]
        try:
            yield require("ray.util", extra="ray").ActorPool(workers)
        finally:
            for worker in workers:
                self.ray.kill(worker)

    def _next(self, workers: Actors) -> Result:
        try:
            result = workers.get_next_unordered()
        except self.ray.exceptions.RayError as error:
            raise ClusterError(
                f"the Ray cluster gave a job up: {first_line(error)}. What was finished is kept; if workers were "
                f"killed, is there enough memory? Then run the command again"
            ) from error
        if isinstance(result, TellapartError):
            raise result
        return result


class Worker:
    """A process with a core of its own, somewhere. Lives until it is killed or there are no more jobs."""

    def __init__(self, begin: Callable[[], Callable[[Any], Any]]) -> None:
        """Load what the jobs need; why that fails is each job's answer."""
        os.environ[CORES] = "1"
        try:
            self._work = begin()
        except TellapartError as error:
            self._work = _failing(error)

    def do(self, item: object) -> object:
        """A job's result, or the TellapartError that it raised."""
        try:
            return self._work(item)
        except TellapartError as error:
            return error


def _do(worker: Actors, item: object) -> Result:
    return worker.do.remote(item)


def _failing(error: TellapartError) -> Callable[[Any], Any]:
    return lambda _: error
