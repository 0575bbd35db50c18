"""Jobs on the workers of a Ray cluster: Ray Data holds back, balances and repeats, none of which is done here."""

import logging
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from types import ModuleType
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from tellapart.errors import ClusterError, TellapartError, first_line, require
from tellapart.jobs import CORES

In = TypeVar("In")
Out = TypeVar("Out")
Column = dict[str, NDArray[np.object_]]
WINDOW = 4_096  # jobs that Ray is told of at once: some 100 MB of paths, and a million pictures
REPEATS = 20  # of one job whose worker was killed; Ray counts one that waited for that worker too


@dataclass(frozen=True)
class Pool:
    """Workers with a core each. Lives as long as the cluster is joined."""

    ray: ModuleType
    count: int

    def run(self, begin: Callable[[], Callable[[In], Out]], items: Iterable[In]) -> Iterator[Out]:
        """See Jobs. Raises ClusterError where a job's workers are killed again and again."""
        rest = iter(items)
        while window := list(islice(rest, WINDOW)):
            yield from self._results(begin, window)

    def _results(self, begin: Callable[[], Callable[[In], Out]], items: Sequence[In]) -> Iterator[Out]:
        data = _quietly(require("ray.data", extra="ray"))
        asked = data.from_items([{"job": Boxed(item)} for item in items], override_num_blocks=len(items))
        done = asked.map_batches(
            Worker,
            fn_constructor_args=(begin,),
            batch_size=None,
            compute=data.ActorPoolStrategy(size=min(self.count, len(items))),
            num_cpus=1,
            ray_remote_args_fn=_arguments,
        )
        try:
            for row in done.iter_rows():
                result = row["job"].inside
                if isinstance(result, TellapartError):
                    raise result
                yield result
        except self.ray.exceptions.RayError as error:
            raise ClusterError(
                f"the Ray cluster gave a job up: {first_line(error)}. What was finished is kept; if workers were "
                f"killed, is there enough memory? Then run the command again"
            ) from error


@dataclass(frozen=True)
class Boxed:
    """An item or a result as it is: what looks like a column of numbers or lists would come back as another kind."""

    inside: Any


class Worker:
    """A process with a core of its own, somewhere. Lives until it is killed or there are no more jobs."""

    def __init__(self, begin: Callable[[], Callable[[Any], Any]]) -> None:
        """Load what the jobs need; why that fails is each job's answer."""
        os.environ[CORES] = "1"
        try:
            self._work = begin()
        except TellapartError as error:
            self._work = _failing(error)

    def __call__(self, jobs: Column) -> Column:
        """Do them."""
        done = np.empty(len(jobs["job"]), object)
        for place, job in enumerate(jobs["job"]):
            done[place] = Boxed(self._answer(job.inside))
        return {"job": done}

    def _answer(self, job: object) -> object:
        try:
            return self._work(job)
        except TellapartError as error:
            return error


def _failing(error: TellapartError) -> Callable[[Any], Any]:
    return lambda _: error


def _arguments() -> dict[str, Any]:
    return {"max_task_retries": REPEATS}


def _quietly(data: ModuleType) -> ModuleType:
    """What Ray Data has to say goes to its own log files."""
    context = data.DataContext.get_current()
    context.enable_progress_bars = False
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    return data
