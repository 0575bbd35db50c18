"""Jobs done by several processes of this machine; the processes of a cluster are in `tellapart.scale`."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from itertools import chain
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, Generic, TypeVar

from tellapart.errors import RunError
from tellapart.jobs import CORES, Work, cores, limit_threads
from tellapart.progress import notify

MAX_RETRIES = 3  # of one item whose worker was killed: beyond that, the item itself is what kills it
In = TypeVar("In")
Out = TypeVar("Out")


@dataclass(frozen=True)
class ProcessJobs:
    """`count` processes of this machine, each with its share of the cores. They end with the `run` or the block."""

    count: int

    def run(self, begin: Callable[[], Callable[[In], Out]], items: Iterable[In]) -> Iterator[Out]:
        """See Jobs. Raises RunError for an item whose workers are killed again and again."""
        with self.workers(begin) as work:
            yield from work(items)

    @contextmanager
    def workers(self, begin: Callable[[], Callable[[In], Out]]) -> Iterator[Work[In, Out]]:
        """See Jobs. Killing the processes at the end loses nothing: they have no items then, or the command failed."""
        pool = _Pool(begin, self.count)
        try:
            yield pool.work
        finally:
            pool.close()


@dataclass
class _Task(Generic[In]):
    """An item, and how many workers were killed while they had it."""

    item: In
    kills: int = 0


@dataclass
class _Worker:
    """A process, the pipe to it, and the task that it has. Lives until it is killed."""

    process: BaseProcess
    pipe: "Connection[Any, Any]"
    task: _Task[Any] | None = None

    def assign(self, task: _Task[Any]) -> None:
        """Send an item. Where the worker is dead already, reading its result fails instead."""
        self.task = task
        with suppress(OSError):
            self.pipe.send(task.item)

    def close(self) -> None:
        """Kill the process, unless it has ended."""
        self.process.kill()
        self.process.join()
        self.pipe.close()


class _Pool(Generic[In, Out]):
    """Running workers. A killed one is replaced, and its item goes to the next that is free."""

    def __init__(self, begin: Callable[[], Callable[[In], Out]], count: int) -> None:
        self._begin = begin
        self._threads = max(1, cores() // count)
        self._workers = [self._started() for _ in range(count)]

    def work(self, items: Iterable[In]) -> Iterator[Out]:
        """See Work."""
        tasks: Iterator[_Task[In]] = map(_Task, items)
        while True:
            for worker in self._workers:
                if worker.task is None and (task := next(tasks, None)):
                    worker.assign(task)
            busy = {worker.pipe: (worker, worker.task) for worker in self._workers if worker.task}
            if not busy:
                return
            ready = set(wait(busy))
            for worker, task in [busy[pipe] for pipe in busy if pipe in ready]:
                try:
                    result = worker.pipe.recv()
                except (EOFError, OSError):
                    self._replace(worker, task)
                    tasks = chain([task], tasks)
                    continue
                worker.task = None
                if isinstance(result, Exception):
                    raise result
                yield result

    def close(self) -> None:
        """End all workers."""
        for worker in self._workers:
            worker.close()

    def _replace(self, worker: _Worker, task: _Task[In]) -> None:
        """Start another worker in place of a killed one. Raises RunError where its task has killed too many."""
        worker.close()
        self._workers[self._workers.index(worker)] = self._started()
        task.kills += 1
        if task.kills > MAX_RETRIES:
            raise RunError(
                f"{task.kills} workers were killed at the same job: is there enough memory? Try fewer --workers"
            )
        notify("a worker was killed: another repeats its job")

    def _started(self) -> _Worker:
        spawn = multiprocessing.get_context("spawn")  # a forked TensorFlow hangs
        ours, theirs = spawn.Pipe()
        process = spawn.Process(target=_serve, args=(theirs, self._begin, self._threads), daemon=True)
        process.start()
        theirs.close()  # so that the pipe breaks when the process ends
        return _Worker(process, ours)


def _serve(pipe: "Connection[Any, Any]", begin: Callable[[], Callable[[In], Out]], threads: int) -> None:
    """Answer each item with its result or with what it raised. Ctrl-C is left to the parent process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    os.environ[CORES] = str(threads)
    limit_threads(threads)
    begin = cache(begin)
    while True:
        try:
            item = pipe.recv()
        except EOFError:
            return
        try:
            result: Out | Exception = begin()(item)
        except Exception as error:
            result = error
        pipe.send(result)


def _end_with_parent() -> None:
    if parent := multiprocessing.parent_process():
        wait([parent.sentinel])
        os._exit(1)
