"""Inference: runs the service's engine in threads.

As many images run concurrently as there are cores, each in an engine request of its own, first come first served.
Measured with Xception on 2 cores, batches of 8 answered a sixth more images per second when 8 were always waiting, and
made each image wait for seven others. Where a batch costs no more than one image (an estimator on pixels), all waiting
images run as one batch.
"""

import asyncio
import time
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from tellapart.data.decoding.conversion import ImageArray
from tellapart.data.pipeline import Runner, decoding_threads


@dataclass(frozen=True)
class InferenceResult:
    """One image's vector, float32 (width,), and when the engine started and finished (perf_counter)."""

    vector: NDArray[np.float32]
    started: float
    finished: float


@dataclass(frozen=True, eq=False)
class _Job:
    image: ImageArray
    result: "Future[InferenceResult]" = field(default_factory=Future)


class Inference:
    """Owner of the engine. Lives as long as the service; `close` stops its threads."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner
        self._waiting: deque[_Job] = deque()
        self._threads = ThreadPoolExecutor(decoding_threads(), "inference")

    async def __call__(self, image: ImageArray) -> InferenceResult:
        """Run the engine on a preprocessed image, uint8 (height, width, channels)."""
        job = _Job(image)
        self._waiting.append(job)
        self._threads.submit(self._run_batch)
        return await asyncio.wrap_future(job.result)  # cancelling removes the image from the queue

    def close(self) -> None:
        """Wait for the running batches and stop the threads."""
        self._threads.shutdown(wait=True)

    def _run_batch(self) -> None:
        """Run up to a batch of waiting images; nothing if another thread took them all."""
        jobs = self._take_jobs()
        if not jobs:
            return
        started = time.perf_counter()
        try:
            (vectors,) = self._runner.run([np.stack([job.image for job in jobs])])
        except BaseException as error:
            for job in jobs:
                job.result.set_exception(error)
            return
        finished = time.perf_counter()
        for job, vector in zip(jobs, vectors, strict=True):
            job.result.set_result(InferenceResult(vector, started, finished))

    def _take_jobs(self) -> list[_Job]:
        jobs: list[_Job] = []
        while len(jobs) < self._runner.batch:
            try:
                job = self._waiting.popleft()  # atomic, unlike a check followed by a pop
            except IndexError:
                break
            if job.result.set_running_or_notify_cancel():
                jobs.append(job)
        return jobs
