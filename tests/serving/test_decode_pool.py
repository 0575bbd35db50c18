"""Decoding in processes: the same pixels, bounded time and memory, and a new process for one that fell."""

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

from tellapart.data.image import decode
from tellapart.data.preprocessing import Preprocessing
from tellapart.errors import ImageError
from tellapart.serving import decode_client, decode_pool
from tellapart.serving.decode_client import Decoded
from tellapart.serving.decode_pool import Decoders
from tellapart.serving.decode_worker import LARGEST_PHOTO
from tellapart.serving.settings import Settings

from .conftest import FEW, image, waited

SIZE = Preprocessing(24, 32, 3)
Work = Callable[[Decoders], Awaitable[None]]


def with_decoders(work: Work, settings: Settings = FEW) -> None:
    """Run the work on decoders, and see that none of their processes is left."""

    async def run() -> None:
        decoders = Decoders(SIZE, settings)
        processes = children()
        try:
            await work(decoders)
        finally:
            processes |= children()
            decoders.close()
        assert not processes & children()

    asyncio.run(run())


def children() -> set[int]:
    """The decoding processes of this one."""
    found = set()
    for child in psutil.Process().children():
        with suppress(psutil.Error):  # ended meanwhile
            if "tellapart.serving.decode_worker" in child.cmdline():
                found.add(child.pid)
    return found


def test_the_pixels_are_those_of_the_one_decoder(reddish: bytes) -> None:
    async def work(decoders: Decoders) -> None:
        found = await decoders(reddish)
        np.testing.assert_array_equal(found.fitted, SIZE(decode(reddish)))
        assert found.seconds > 0

    with_decoders(work)


def test_the_photo_comes_along_where_asked_for_and_not_too_large() -> None:
    async def work(decoders: Decoders) -> None:
        small = await decoders(image("red", size=(60, 50)), photo=True)
        large = await decoders(image("red", size=(3000, 1000)), photo=True)
        assert (small.photo.shape, small.fitted.shape) == ((50, 60, 3), (24, 32, 3))
        assert large.photo.shape == (round(LARGEST_PHOTO / 3), LARGEST_PHOTO, 3)

    with_decoders(work)


def test_what_cannot_be_decoded_is_an_error_and_the_process_stays() -> None:
    async def work(decoders: Decoders) -> None:
        await decoders(image("red"))  # so that it has started
        before = children()
        for content in (b"", b"hello", image("red")[:100]):
            with pytest.raises(ImageError):
                await decoders(content)
        assert children() == before

    with_decoders(work)


def test_limits_reach_the_process() -> None:
    async def work(decoders: Decoders) -> None:
        with pytest.raises(ImageError, match="at most 1,000 in all"):
            await decoders(image("red", size=(40, 30)))
        assert (await decoders(image("red", size=(40, 25)))).fitted.shape == (24, 32, 3)

    with_decoders(work, Settings(workers=1, max_pixels=1_000))


def test_what_takes_too_long_is_ended_and_the_next_is_decoded(reddish: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    async def work(decoders: Decoders) -> None:
        await decoders(reddish)
        (process,) = children()
        os.kill(process, signal.SIGSTOP)  # as a decoder that never comes back
        monkeypatch.setattr(decode_client, "DECODE_S", 0.2)
        started = time.monotonic()
        with pytest.raises(ImageError, match=r"within 0\.2 s"):
            await decoders(reddish)
        assert time.monotonic() - started < 2
        await decoders(reddish)
        assert process not in children()

    with_decoders(work)


def test_what_computes_too_long_is_ended_and_the_next_is_decoded(
    reddish: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decode_client, "COMPUTE_S", 0.05)

    async def work(decoders: Decoders) -> None:
        await decoders(reddish)
        with pytest.raises(ImageError, match=r"within 0\.05 s of computing"):
            await decoders(image("red", size=(7000, 7000)))
        await decoders(reddish)

    with_decoders(work)


def test_waiting_for_the_machine_is_no_image_s_fault(reddish: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decode_client, "COMPUTE_S", 0.2)

    async def work(decoders: Decoders) -> None:
        await decoders(reddish)
        (process,) = children()
        os.kill(process, signal.SIGSTOP)
        asked = asyncio.ensure_future(decoders(reddish))
        await asyncio.sleep(0.5)
        os.kill(process, signal.SIGCONT)
        assert (await asked).fitted.shape == (24, 32, 3)
        assert process in children()

    with_decoders(work)


def test_a_new_process_has_no_more_patience_than_the_old(reddish: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decode_client, "DECODE_S", 0.2)

    async def work(decoders: Decoders) -> None:
        for _ in range(3):
            (worker,) = decoders._idle
            await asyncio.to_thread(worker.greeting.result)
            os.kill(worker._process.pid, signal.SIGSTOP)
            started = time.monotonic()
            with pytest.raises(ImageError, match=r"within 0\.2 s"):
                await decoders(reddish)
            assert time.monotonic() - started < 2
            await asyncio.sleep(0)

    with_decoders(work)


def test_a_process_that_never_starts_is_given_up(reddish: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decode_pool, "START_S", 0.2)

    async def work(decoders: Decoders) -> None:
        (worker,) = decoders._idle
        os.kill(worker._process.pid, signal.SIGSTOP)
        with pytest.raises(ImageError):
            await decoders(reddish)

    with_decoders(work)


def test_a_process_that_falls_is_the_images_fault_and_is_replaced(reddish: bytes) -> None:
    async def work(decoders: Decoders) -> None:
        await decoders(reddish)
        (process,) = children()
        os.kill(process, signal.SIGSTOP)
        asked = asyncio.ensure_future(decoders(reddish))
        await asyncio.sleep(0.1)
        os.kill(process, signal.SIGSEGV)
        os.kill(process, signal.SIGCONT)
        with pytest.raises(ImageError, match="brought the decoder down"):
            await asked
        assert (await decoders(reddish)).fitted.shape == (24, 32, 3)

    with_decoders(work)


def test_no_decoder_at_all_is_our_own_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")

    async def work(decoders: Decoders) -> None:
        with pytest.raises(RuntimeError, match="ended with status 1"):
            await decoders(b"x")

    with_decoders(work)


def test_who_gives_up_frees_no_process_that_is_at_work(reddish: bytes) -> None:
    async def work(decoders: Decoders) -> None:
        await decoders(reddish)
        (process,) = children()
        os.kill(process, signal.SIGSTOP)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(decoders(reddish), 0.1)
        waiting = asyncio.ensure_future(decoders(image("blue")))
        await asyncio.sleep(0.1)
        os.kill(process, signal.SIGCONT)
        assert (await waiting).fitted[0, 0].tolist() == [0, 0, 255]

    with_decoders(work)


def test_many_at_once_each_get_their_own() -> None:
    colours = [(red, 0, 255 - red) for red in range(0, 255, 5)]

    async def work(decoders: Decoders) -> None:
        found: list[Decoded] = await asyncio.gather(*(decoders(image(colour)) for colour in colours))
        assert [tuple(one.fitted[0, 0].tolist()) for one in found] == colours

    with_decoders(work, Settings(workers=2))


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decode_pool, "BASE_BYTES", 90_000_000)
    monkeypatch.setattr(decode_pool, "BYTES_EACH", 0)

    async def work(decoders: Decoders) -> None:
        with pytest.raises(ImageError, match=r"memory|MemoryError|cannot be decoded"):
            await decoders(image("red", size=(6000, 5000)))
        assert (await decoders(image("red"))).fitted.shape == (24, 32, 3)

    with_decoders(work)


def test_forgotten_decoders_end_their_processes(reddish: bytes) -> None:
    before = children()

    async def forget() -> None:
        await Decoders(SIZE, FEW)(reddish)

    asyncio.run(forget())
    waited(lambda: children() == before)
