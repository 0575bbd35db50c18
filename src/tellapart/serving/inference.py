"""Inference: the one place where the service's engine is run.

As many images are under way as there are cores, each in a request of the engine's own, first come first served.
Measured with Xception on 2 cores, batches of 8 answered a sixth more a second, when there were always 8, and made each
image wait for seven others. Where a batch costs no more than an image (an estimator on pixels), what is waiting goes
together.
"""

import asyncio
import time
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from tellapart.data.image import ImageArray
from tellapart.data.pipeline import Runner, decoding_threads


@dataclass(frozen=True)
class Row:
    """One image's vector, float32 (width,), and when the engine began and ended with it (perf_counter)."""

    vector: NDArray[np.float32]
    began: float
    ended: float


@dataclass(frozen=True, eq=False)
class _Job:
    image: ImageArray
    answer: "Future[Row]" = field(default_factory=Future)


class Inference:
    """Owns the engine. Lives as long as the service; `close` ends its threads."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner
        self._waiting: deque[_Job] = deque()
        self._threads = ThreadPoolExecutor(decoding_threads(), "inference")

    async def __call__(self, image: ImageArray) -> Row:
        """Give the vector of an image, uint8 (height, width, channels) as the classifier takes it."""
        job = _Job(image)
        self._waiting.append(job)
        self._threads.submit(self._run_some)
        return await asyncio.wrap_future(job.answer)  # who gives up waiting takes the image out of the queue

    def close(self) -> None:
        """End the threads when they have done what they are at."""
        self._threads.shutdown(wait=True)

    def _run_some(self) -> None:
        """Run what waits, up to a batch; nothing when another thread took it all."""
        jobs = self._taken()
        if not jobs:
            return
        began = time.perf_counter()
        try:
            (rows,) = self._runner.run([np.stack([job.image for job in jobs])])
        except BaseException as error:
            for job in jobs:
                job.answer.set_exception(error)
            return
        ended = time.perf_counter()
        for job, row in zip(jobs, rows, strict=True):
            job.answer.set_result(Row(row, began, ended))

    def _taken(self) -> list[_Job]:
        jobs: list[_Job] = []
        while len(jobs) < self._runner.batch:
            try:
                job = self._waiting.popleft()  # atomic, unlike a look and then a pop
            except IndexError:
                break
            if job.answer.set_running_or_notify_cancel():
                jobs.append(job)
        return jobs
