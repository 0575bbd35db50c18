"""Decoding, off the event loop: in a few processes that are killed when an image takes too long or too much.

A hostile file can make a decoder hang, or crash it, and no thread survives that. Decoding in threads instead would
save about half a millisecond of the three that a photo takes.
"""

import asyncio
import json
import weakref
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict
from functools import partial

from tellapart.data.preprocessing import Preprocessing
from tellapart.serving import decode_client
from tellapart.serving.decode_client import Decoded, Decoder
from tellapart.serving.settings import Settings, usual_workers

START_S = 10.0  # for a process to start
BYTES_EACH = 20  # of memory for each pixel: an image with transparency is held several times over while it turns RGB
BASE_BYTES = 256_000_000  # of the process itself, and small images


class Decoders:
    """Processes that decode. Lives as long as the service; `close` ends them. For one event loop."""

    def __init__(self, preprocessing: Preprocessing, settings: Settings) -> None:
        count = settings.workers or usual_workers()
        setup = {
            "preprocessing": asdict(preprocessing),
            "max_pixels": settings.max_pixels,
            "max_bytes": settings.max_body_bytes,
            "memory_bytes": BASE_BYTES + BYTES_EACH * settings.max_pixels,
            "compute_s": decode_client.COMPUTE_S,
        }
        self._setup = json.dumps(setup)
        self._turns = asyncio.Semaphore(count)
        self._threads = ThreadPoolExecutor(count, "decoder")  # each waits for one process
        self._idle = deque(Decoder(self._setup) for _ in range(count))
        self._workers = set(self._idle)
        self.close = weakref.finalize(self, _end, self._workers, self._threads)

    async def __call__(self, content: bytes, *, photo: bool = False) -> Decoded:
        """Decode the bytes of one file when its turn comes. Raises ImageError."""
        await self._turns.acquire()
        worker = self._idle.popleft()
        loop = asyncio.get_running_loop()
        asked = loop.run_in_executor(self._threads, worker.ask, content, photo)
        asked.add_done_callback(partial(self._back, worker, _Patience(loop, worker)))
        return await asyncio.shield(asked)  # who gives up waiting does not free the process, which is at work still

    def _back(self, worker: Decoder, patience: "_Patience", asked: "asyncio.Future[Decoded]") -> None:
        patience.end()
        if not asked.cancelled():
            asked.exception()  # looked at, should nobody wait for it any more
        if not worker.alive and self.close.alive:
            worker = self._replaced(worker)
        self._idle.append(worker)
        self._turns.release()

    def _replaced(self, worker: Decoder) -> Decoder:
        try:
            fresh = Decoder(self._setup)
        except OSError:
            return worker  # no process is to be had just now: the next image asks again
        worker.end()
        self._workers.discard(worker)
        self._workers.add(fresh)
        return fresh


class _Patience:
    """Ends a process that takes too long: to start, if it has not yet, and then to decode. Lives for one image."""

    def __init__(self, loop: asyncio.AbstractEventLoop, worker: Decoder) -> None:
        self._loop, self._worker, self._over = loop, worker, False
        self._timer = loop.call_later(START_S, worker.kill)
        if worker.greeting.done():
            self._decoding()
        else:
            worker.greeting.add_done_callback(self._greeted)

    def end(self) -> None:
        """Wait no longer."""
        self._over = True
        self._timer.cancel()

    def _greeted(self, _: "Future[None]") -> None:
        with suppress(RuntimeError):  # the loop has ended meanwhile
            self._loop.call_soon_threadsafe(self._decoding)

    def _decoding(self) -> None:
        self._timer.cancel()
        if not self._over:
            self._timer = self._loop.call_later(decode_client.DECODE_S, self._worker.kill)


def _end(workers: set[Decoder], threads: ThreadPoolExecutor) -> None:
    for worker in workers:
        worker.kill()  # nobody waits any more for what it may be at
    threads.shutdown(wait=True, cancel_futures=True)
    for worker in workers:
        worker.end()
