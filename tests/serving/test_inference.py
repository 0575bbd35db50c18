"""Inference: each caller its own row, in batches where the runner takes them, and no work for who has gone."""

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
def test_each_caller_gets_the_row_of_its_image(batch: int) -> None:
    async def work(inference: Inference) -> None:
        rows = await asyncio.gather(*(inference(colour(red)) for red in range(100)))
        np.testing.assert_allclose([row.vector[0] for row in rows], np.arange(100) / 255, atol=1e-6)
        assert all(row.began <= row.ended for row in rows)

    with_inference(work, FakeRunner(batch=batch))


def test_what_waits_goes_together_where_a_batch_is_taken() -> None:
    runner = FakeRunner(batch=8, go_on=threading.Event())

    async def work(inference: Inference) -> None:
        asked = [asyncio.ensure_future(inference(colour(red))) for red in range(40)]
        await asyncio.sleep(0.1)
        assert runner.go_on is not None
        runner.go_on.set()
        await asyncio.gather(*asked)
        assert sum(runner.sizes) == 40
        assert max(runner.sizes) == 8

    with_inference(work, runner)


def test_an_error_reaches_who_asked_and_the_next_is_answered() -> None:
    runner = FakeRunner(broken=True)

    async def work(inference: Inference) -> None:
        with pytest.raises(RuntimeError, match="the engine broke"):
            await inference(colour(1))
        runner.broken = False
        assert (await inference(colour(255))).vector[0] == pytest.approx(1, abs=1e-6)

    with_inference(work, runner)


def test_who_has_gone_costs_no_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tellapart.serving.inference.decoding_threads", lambda: 1)
    runner = FakeRunner(go_on=threading.Event())

    async def work(inference: Inference) -> None:
        first = asyncio.ensure_future(inference(colour(255)))
        await asyncio.to_thread(runner.begun.wait, 10)
        gone = asyncio.ensure_future(inference(colour(1)))
        await asyncio.sleep(0.05)
        gone.cancel()
        last = asyncio.ensure_future(inference(colour(0)))
        await asyncio.sleep(0.05)
        assert runner.go_on is not None
        runner.go_on.set()
        await asyncio.gather(first, last)
        assert runner.sizes == [1, 1]

    with_inference(work, runner)
