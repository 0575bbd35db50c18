"""Decoder processes: the same pixels, bounded time and memory, and a replacement for a process that died."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress

import numpy as np
import psutil
import pytest

from tellapart.data.decoding.decode import decode
from tellapart.data.preprocessing import Preprocessing
from tellapart.errors import ImageError
from tellapart.serving import decode_pool
from tellapart.serving.decode_pool import DecodedImage, DecodePool
from tellapart.serving.decode_worker import MAX_PHOTO_SIDE
from tellapart.serving.settings import Settings

from .conftest import ONE_WORKER, image, wait_until

SIZE = Preprocessing(24, 32, 3)
Work = Callable[[DecodePool], Awaitable[None]]


def run_with_pool(work: Work, settings: Settings = ONE_WORKER) -> None:
    """Run the work on a pool, and check that none of its processes is left."""

    async def run() -> None:
        pool = DecodePool(SIZE, settings)
        processes = children()
        try:
            await work(pool)
        finally:
            processes |= children()
            pool.close()
        assert not processes & children()

    asyncio.run(run())


def children() -> set[int]:
    """Return the ids of this process's decoders."""
    pids = set()
    for child in psutil.Process().children():
        with suppress(psutil.Error):  # exited meanwhile
            if "tellapart.serving.decode_worker" in child.cmdline():
                pids.add(child.pid)
    return pids


def test_the_pixels_equal_those_of_decode(reddish: bytes) -> None:
    async def work(pool: DecodePool) -> None:
        decoded = await pool(reddish)
        np.testing.assert_array_equal(decoded.image, SIZE(decode(reddish)))
        assert decoded.seconds > 0

    run_with_pool(work)


def test_the_photo_is_returned_on_request_at_a_bounded_size() -> None:
    async def work(pool: DecodePool) -> None:
        small = await pool(image("red", size=(60, 50)), photo=True)
        large = await pool(image("red", size=(3000, 1000)), photo=True)
        assert (small.photo.shape, small.image.shape) == ((50, 60, 3), (24, 32, 3))
        assert large.photo.shape == (round(MAX_PHOTO_SIDE / 3), MAX_PHOTO_SIDE, 3)

    run_with_pool(work)


def test_an_undecodable_file_is_an_error_and_the_process_stays() -> None:
    async def work(pool: DecodePool) -> None:
        await pool(image("red"))  # so that it has started
        before = children()
        for content in (b"", b"hello", image("red")[:100]):
            with pytest.raises(ImageError):
                await pool(content)
        assert children() == before

    run_with_pool(work)


def test_the_process_applies_the_limits() -> None:
    async def work(pool: DecodePool) -> None:
        with pytest.raises(ImageError, match="at most 1,000 in all"):
            await pool(image("red", size=(40, 30)))
        assert (await pool(image("red", size=(40, 25)))).image.shape == (24, 32, 3)

    run_with_pool(work, Settings(workers=1, max_pixels=1_000))


def test_a_hanging_decoder_is_killed_and_the_next_image_is_decoded(
    reddish: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def work(pool: DecodePool) -> None:
        await pool(reddish)
        (process,) = children()
        os.kill(process, signal.SIGSTOP)  # like a decoder that hangs
        monkeypatch.setattr(decode_pool, "MAX_DECODE_S", 0.2)
        started = time.monotonic()
        with pytest.raises(ImageError, match=r"within 0\.2 s"):
            await pool(reddish)
        assert time.monotonic() - started < 2
        await pool(reddish)
        assert process not in children()

    run_with_pool(work)


def test_a_decoder_over_its_cpu_time_is_killed_and_the_next_image_is_decoded(
    reddish: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decode_pool, "MAX_CPU_S", 0.05)

    async def work(pool: DecodePool) -> None:
        await pool(reddish)
        with pytest.raises(ImageError, match=r"within 0\.05 s of CPU time"):
            await pool(image("red", size=(7000, 7000)))
        await pool(reddish)

    run_with_pool(work)


def test_waiting_for_a_busy_machine_is_not_counted(reddish: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decode_pool, "MAX_CPU_S", 0.2)

    async def work(pool: DecodePool) -> None:
        await pool(reddish)
        (process,) = children()
        os.kill(process, signal.SIGSTOP)
        decoding = asyncio.ensure_future(pool(reddish))
        await asyncio.sleep(0.5)
        os.kill(process, signal.SIGCONT)
        assert (await decoding).image.shape == (24, 32, 3)
        assert process in children()

    run_with_pool(work)


def test_a_replacement_process_has_the_same_timeout(reddish: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decode_pool, "MAX_DECODE_S", 0.2)

    async def work(pool: DecodePool) -> None:
        for _ in range(3):
            (worker,) = pool._idle
            await asyncio.to_thread(worker.ready.result)
            os.kill(worker._process.pid, signal.SIGSTOP)
            started = time.monotonic()
            with pytest.raises(ImageError, match=r"within 0\.2 s"):
                await pool(reddish)
            assert time.monotonic() - started < 2
            await asyncio.sleep(0)

    run_with_pool(work)


def test_a_process_that_never_starts_is_killed(reddish: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decode_pool, "MAX_START_S", 0.2)

    async def work(pool: DecodePool) -> None:
        (worker,) = pool._idle
        os.kill(worker._process.pid, signal.SIGSTOP)
        with pytest.raises(ImageError):
            await pool(reddish)

    run_with_pool(work)


def test_a_crashed_process_is_an_image_error_and_is_replaced(reddish: bytes) -> None:
    async def work(pool: DecodePool) -> None:
        await pool(reddish)
        (process,) = children()
        os.kill(process, signal.SIGSTOP)
        decoding = asyncio.ensure_future(pool(reddish))
        await asyncio.sleep(0.1)
        os.kill(process, signal.SIGSEGV)
        os.kill(process, signal.SIGCONT)
        with pytest.raises(ImageError, match="crashed the decoder"):
            await decoding
        assert (await pool(reddish)).image.shape == (24, 32, 3)

    run_with_pool(work)


def test_a_decoder_that_cannot_start_is_a_failure_of_the_service(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")

    async def work(pool: DecodePool) -> None:
        with pytest.raises(RuntimeError, match="exited with status 1"):
            await pool(b"x")

    run_with_pool(work)


def test_a_cancelled_caller_does_not_free_a_working_process(reddish: bytes) -> None:
    async def work(pool: DecodePool) -> None:
        await pool(reddish)
        (process,) = children()
        os.kill(process, signal.SIGSTOP)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(pool(reddish), 0.1)
        waiting = asyncio.ensure_future(pool(image("blue")))
        await asyncio.sleep(0.1)
        os.kill(process, signal.SIGCONT)
        assert (await waiting).image[0, 0].tolist() == [0, 0, 255]

    run_with_pool(work)


def test_concurrent_callers_each_get_their_own_image() -> None:
    colours = [(red, 0, 255 - red) for red in range(0, 255, 5)]

    async def work(pool: DecodePool) -> None:
        results: list[DecodedImage] = await asyncio.gather(*(pool(image(colour)) for colour in colours))
        assert [tuple(result.image[0, 0].tolist()) for result in results] == colours

    run_with_pool(work, Settings(workers=2))


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decode_pool, "PROCESS_BYTES", 90_000_000)
    monkeypatch.setattr(decode_pool, "MEMORY_MARGIN", 0)

    async def work(pool: DecodePool) -> None:
        with pytest.raises(ImageError, match=r"memory|MemoryError|cannot be decoded"):
            await pool(image("red", size=(6000, 5000)))
        assert (await pool(image("red"))).image.shape == (24, 32, 3)

    run_with_pool(work)


def test_a_garbage_collected_pool_stops_its_processes(reddish: bytes) -> None:
    before = children()

    async def forget() -> None:
        await DecodePool(SIZE, ONE_WORKER)(reddish)

    asyncio.run(forget())
    wait_until(lambda: children() == before)
