"""Inference: each caller gets its own vector, in batches if the runner supports them, and cancelled work is skipped."""

import asyncio
import threading
from collections.abc import Awaitable, Callable

import numpy as np
import pytest

from tellapart.serving.inference import Inference

from .conftest import FakeRunner

Work = Callable[[Inference], Awaitable[None]]


def colour(red: int) -> np.ndarray[tuple[int, int, int], np.dtype[np.uint8]]:
    return np.full((2, 2, 3), (red, 255 - red, 0), np.uint8)


def with_inference(work: Work, runner: FakeRunner) -> None:
    async def run() -> None:
        inference = Inference(runner)
        try:
            await work(inference)
        finally:
            inference.close()

    asyncio.run(run())


@pytest.mark.parametrize("batch", [1, 8])
def test_each_caller_gets_the_vector_of_its_image(batch: int) -> None:
    async def work(inference: Inference) -> None:
        results = await asyncio.gather(*(inference(colour(red)) for red in range(100)))
        np.testing.assert_allclose([result.vector[0] for result in results], np.arange(100) / 255, atol=1e-6)
        assert all(result.started <= result.finished for result in results)

    with_inference(work, FakeRunner(batch=batch))


def test_waiting_images_run_as_one_batch() -> None:
    runner = FakeRunner(batch=8, resume=threading.Event())

    async def work(inference: Inference) -> None:
        tasks = [asyncio.ensure_future(inference(colour(red))) for red in range(40)]
        await asyncio.sleep(0.1)
        assert runner.resume is not None
        runner.resume.set()
        await asyncio.gather(*tasks)
        assert sum(runner.sizes) == 40
        assert max(runner.sizes) == 8

    with_inference(work, runner)


def test_an_error_reaches_its_caller_and_the_next_image_is_answered() -> None:
    runner = FakeRunner(broken=True)

    async def work(inference: Inference) -> None:
        with pytest.raises(RuntimeError, match="the engine broke"):
            await inference(colour(1))
        runner.broken = False
        assert (await inference(colour(255))).vector[0] == pytest.approx(1, abs=1e-6)

    with_inference(work, runner)


def test_a_cancelled_image_is_not_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tellapart.serving.inference.decoding_threads", lambda: 1)
    runner = FakeRunner(resume=threading.Event())

    async def work(inference: Inference) -> None:
        first = asyncio.ensure_future(inference(colour(255)))
        await asyncio.to_thread(runner.started.wait, 10)
        cancelled = asyncio.ensure_future(inference(colour(1)))
        await asyncio.sleep(0.05)
        cancelled.cancel()
        last = asyncio.ensure_future(inference(colour(0)))
        await asyncio.sleep(0.05)
        assert runner.resume is not None
        runner.resume.set()
        await asyncio.gather(first, last)
        assert runner.sizes == [1, 1]

    with_inference(work, runner)
