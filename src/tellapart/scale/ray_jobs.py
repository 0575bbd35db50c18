"""RayJobs: jobs on the workers of a Ray cluster. Ray starts workers, restarts killed ones and repeats their jobs."""

import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache, partial
from itertools import islice
from types import ModuleType
from typing import Any, TypeVar

from tellapart.errors import ClusterError, TellapartError, first_line, require
from tellapart.jobs import CORES, CommandContext, Work
from tellapart.progress import notify
from tellapart.scale.preflight import connection_error

In = TypeVar("In")
Out = TypeVar("Out")
Actors = Any
"""Ray's actors, and below their results: the types are known only where Ray is installed."""
Result = Any
MAX_RETRIES = 20  # of a job whose worker was killed or out of reach; an unreachable node uses up several
CHECK_EVERY_S = 10.0  # that the head answers and cores are left


@dataclass(frozen=True)
class RayJobs:
    """Workers with a core each. Lives as long as the cluster is joined."""

    ray: ModuleType
    count: int
    head: str
    """HOST:PORT of the cluster's head."""

    def run(self, begin: Callable[[], Callable[[In], Out]], items: Iterable[In]) -> Iterator[Out]:
        """See Jobs. Raises ClusterError for a job whose workers are killed again and again.

        A worker that runs out of items ends: a restarted worker that still has an item may be waiting for its core.
        """
        with self._start(begin) as team:
            yield from self._run_batch(team, items, last=True)

    @contextmanager
    def workers(self, begin: Callable[[], Callable[[In], Out]]) -> Iterator[Work[In, Out]]:
        """See Jobs. A worker without an item ends only if a restarted one waits for a core."""
        with self._start(begin) as team:
            yield partial(self._run_batch, team)

    @contextmanager
    def _start(self, begin: Callable[[], Callable[[In], Out]]) -> Iterator["_Team"]:
        worker_class = self.ray.remote(num_cpus=1, max_restarts=-1, max_task_retries=MAX_RETRIES)(Worker)
        shared = self.ray.put(begin)  # sent once for all workers
        workers = [worker_class.remote(shared, CommandContext.here()) for _ in range(self.count)]
        try:
            ready = [worker.ready.remote() for worker in workers]
            yield _Team(require("ray.util", extra="ray").ActorPool(workers), [*workers], ready)
        finally:
            if self.ray.is_initialized():  # else the cluster was left meanwhile, and the workers ended
                for worker in workers:
                    self.ray.kill(worker)

    def _run_batch(self, team: "_Team", items: Iterable[In], *, last: bool = False) -> Iterator[Out]:
        rest = iter(items)
        for item in islice(rest, len(team.workers)):
            team.pool.submit(_do, item)
        while team.pool.has_next():
            result = self._next(team)
            for item in islice(rest, 1):
                team.pool.submit(_do, item)
            if last:
                self._end_idle_worker(team)
            yield result

    def _end_idle_worker(self, team: "_Team") -> None:
        """End a worker that has no item, if there is one."""
        if idle := team.pool.pop_idle():
            team.workers.remove(idle)
            self.ray.kill(idle)

    def _next(self, team: "_Team") -> Result:
        try:
            result = self._wait(team)
        except self.ray.exceptions.RayError as error:
            raise ClusterError(
                f"the Ray cluster gave up a job: {first_line(error)}. What is finished is kept; if workers were "
                f"killed, is there enough memory? Then run the command again"
            ) from error
        if isinstance(result, TellapartError):
            raise result
        return result

    def _wait(self, team: "_Team") -> Result:
        while True:
            try:
                if time.monotonic() - team.checked >= CHECK_EVERY_S:
                    self._check(team)
                return team.pool.get_next_unordered(timeout=CHECK_EVERY_S)
            except TimeoutError as error:
                if isinstance(error, self.ray.exceptions.RayError):
                    raise  # of the job

    def _check(self, team: "_Team") -> None:
        """Check that the head answers and that cores are left. Raises ClusterError without cores."""
        team.checked = time.monotonic()
        if reason := connection_error(self.head):
            team.notify_once(
                f"the head of the Ray cluster, {self.head}, no longer answers ({reason}). Ray gives up after a minute, "
                f"and the command ends. What is finished is kept: then run the command again"
            )
            return  # asking Ray for its resources would block
        cores = self.ray.cluster_resources().get("CPU", 0)
        if cores < 1:
            raise ClusterError(
                "the Ray cluster has lost all its cores. What is finished is kept: start nodes, and run the command "
                "again"
            )
        if cores < len(team.workers):
            self._end_idle_worker(team)
        if team.ready and not self.ray.wait(team.ready, timeout=0)[0]:
            team.notify_once(
                "no worker has started yet: is other work using the cores of the Ray cluster? One starts as soon as a "
                "core is free"
            )


@dataclass
class _Team:
    """The workers of a job, and Ray's pool of them."""

    pool: Actors
    workers: list[Actors]
    """Those that have not been ended."""
    ready: list[Result] = field(default_factory=list)
    """For each worker a result that arrives when it has a core."""
    checked: float = field(default_factory=time.monotonic)
    """When `_check` last ran."""
    notified: set[str] = field(default_factory=set)

    def notify_once(self, message: str) -> None:
        """Print a message, unless it was printed before."""
        if message not in self.notified:
            notify(message)
        self.notified.add(message)


class Worker:
    """A process on some machine, with a core of its own. Lives until it is killed or there are no more jobs."""

    def __init__(self, begin: Callable[[], Callable[[Any], Any]], context: CommandContext) -> None:
        """Set up the process; what the jobs need is loaded with the first of them."""
        os.environ[CORES] = "1"
        context.apply()
        self._begin = cache(begin)

    def ready(self) -> None:
        """Return as soon as the worker has a core."""

    def do(self, item: object) -> object:
        """Return the result of a job, or the TellapartError that it or `begin` raised."""
        try:
            return self._begin()(item)
        except TellapartError as error:
            return error


def _do(worker: Actors, item: object) -> Result:
    return worker.do.remote(item)
