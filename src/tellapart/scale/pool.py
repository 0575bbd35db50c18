"""Jobs on the workers of a Ray cluster: Ray starts, balances and repeats, none of which is done here."""

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
"""Ray's, and below what comes out of them: their types are known only where Ray is installed."""
Result = Any
MAX_RETRIES = (
    20  # of one job whose worker was killed, or out of reach, which uses some up until its node counts as lost
)
CHECK_EVERY_S = 10.0  # between two looks whether anybody is left who could give a result


@dataclass(frozen=True)
class Pool:
    """Workers with a core each. Lives as long as the cluster is joined."""

    ray: ModuleType
    count: int
    head: str
    """HOST:PORT of the cluster's own port."""

    def run(self, begin: Callable[[], Callable[[In], Out]], items: Iterable[In]) -> Iterator[Out]:
        """See Jobs. An item is taken when a worker has none. Raises ClusterError where a job kills its workers.

        A worker for whom no item is left goes, for its core may be what a lost one waits for that has an item still.
        """
        with self._begun(begin) as team:
            yield from self._round(team, items, last=True)

    @contextmanager
    def workers(self, begin: Callable[[], Callable[[In], Out]]) -> Iterator[Work[In, Out]]:
        """See Jobs. A worker without an item goes only where a lost one waits for a core."""
        with self._begun(begin) as team:
            yield partial(self._round, team)

    @contextmanager
    def _begun(self, begin: Callable[[], Callable[[In], Out]]) -> Iterator["_Team"]:
        kind = self.ray.remote(num_cpus=1, max_restarts=-1, max_task_retries=MAX_RETRIES)(Worker)
        sent = self.ray.put(begin)  # once, however many workers share it
        workers = [kind.remote(sent, CommandContext.here()) for _ in range(self.count)]
        try:
            placed = [worker.placed.remote() for worker in workers]
            yield _Team(require("ray.util", extra="ray").ActorPool(workers), [*workers], placed)
        finally:
            if self.ray.is_initialized():  # else it has been left meanwhile, and the workers with it
                for worker in workers:
                    self.ray.kill(worker)

    def _round(self, team: "_Team", items: Iterable[In], *, last: bool = False) -> Iterator[Out]:
        rest = iter(items)
        for item in islice(rest, len(team.there)):
            team.pool.submit(_do, item)
        while team.pool.has_next():
            result = self._next(team)
            for item in islice(rest, 1):
                team.pool.submit(_do, item)
            if last:
                self._let_go(team)
            yield result

    def _let_go(self, team: "_Team") -> None:
        """End a worker that has nothing to do, if there is one."""
        if idle := team.pool.pop_idle():
            team.there.remove(idle)
            self.ray.kill(idle)

    def _next(self, team: "_Team") -> Result:
        try:
            result = self._waited_for(team)
        except self.ray.exceptions.RayError as error:
            raise ClusterError(
                f"the Ray cluster gave a job up: {first_line(error)}. What was finished is kept; if workers were "
                f"killed, is there enough memory? Then run the command again"
            ) from error
        if isinstance(result, TellapartError):
            raise result
        return result

    def _waited_for(self, team: "_Team") -> Result:
        while True:
            try:
                if time.monotonic() - team.looked >= CHECK_EVERY_S:
                    self._look(team)
                return team.pool.get_next_unordered(timeout=CHECK_EVERY_S)
            except TimeoutError as error:
                if isinstance(error, self.ray.exceptions.RayError):
                    raise  # a job's own

    def _look(self, team: "_Team") -> None:
        """See whether anybody is left who could give a result."""
        team.looked = time.monotonic()
        if why := connection_error(self.head):
            team.tell(
                f"the head of the Ray cluster, {self.head}, answers no longer ({why}). Ray gives up after a minute, "
                f"and with it the command. What was finished is kept: then run the command again"
            )
            return  # Ray would wait for it
        cores = self.ray.cluster_resources().get("CPU", 0)
        if cores < 1:
            raise ClusterError(
                "the Ray cluster has lost all its cores. What was finished is kept: start nodes, and run the command "
                "again"
            )
        if cores < len(team.there):
            self._let_go(team)
        if team.placed and not self.ray.wait(team.placed, timeout=0)[0]:
            team.tell(
                "no worker could begin yet: does other work hold the Ray cluster's cores? It starts when one is free"
            )


@dataclass
class _Team:
    """Workers, and a list of those that were not let go."""

    pool: Actors
    there: list[Actors]
    placed: list[Result] = field(default_factory=list)
    """For each worker a result that comes when it has a core."""
    looked: float = field(default_factory=time.monotonic)
    """When somebody last looked after them."""
    told: set[str] = field(default_factory=set)

    def tell(self, sentence: str) -> None:
        """Say it, once."""
        if sentence not in self.told:
            notify(sentence)
        self.told.add(sentence)


class Worker:
    """A process with a core of its own, somewhere. Lives until it is killed or there are no more jobs."""

    def __init__(self, begin: Callable[[], Callable[[Any], Any]], context: CommandContext) -> None:
        """What the jobs need is loaded with the first of them."""
        os.environ[CORES] = "1"
        context.apply()
        self._begin = cache(begin)

    def placed(self) -> None:
        """Answer, which a worker without a core cannot."""

    def do(self, item: object) -> object:
        """A job's result, or the TellapartError that it or the beginning raised."""
        try:
            return self._begin()(item)
        except TellapartError as error:
            return error


def _do(worker: Actors, item: object) -> Result:
    return worker.do.remote(item)
