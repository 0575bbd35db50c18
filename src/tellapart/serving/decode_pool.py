"""A pool of decoder processes, which are killed when an image takes too much time or memory.

A hostile file can make a decoder hang or crash, which no thread survives. Decoding in threads instead would save about
half a millisecond of the three that a photo takes.
"""

import asyncio
import json
import weakref
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import partial

from tellapart.data.preprocessing import Preprocessing
from tellapart.serving import decode_client
from tellapart.serving.decode_client import DecodeClient, DecodedImage
from tellapart.serving.settings import Settings, default_workers

MAX_START_S = 10.0  # for a process to start
BYTES_PER_PIXEL = 20  # an image with transparency is in memory several times while it is converted to RGB
PROCESS_BYTES = 256_000_000  # of the process itself and small images


class DecodePool:
    """Decoder processes. Lives as long as the service; `close` stops them. For one event loop."""

    def __init__(self, preprocessing: Preprocessing, settings: Settings) -> None:
        count = settings.workers or default_workers()
        setup = {
            "preprocessing": preprocessing.as_json(),
            "max_pixels": settings.max_pixels,
            "max_bytes": settings.max_body_bytes,
            "memory_bytes": PROCESS_BYTES + BYTES_PER_PIXEL * settings.max_pixels,
            "max_cpu_s": decode_client.MAX_CPU_S,
        }
        self._setup = json.dumps(setup)
        self._free = asyncio.Semaphore(count)
        self._threads = ThreadPoolExecutor(count, "decoder")  # each waits for one process
        self._idle = deque(DecodeClient(self._setup) for _ in range(count))
        self._workers = set(self._idle)
        self.close = weakref.finalize(self, _stop, self._workers, self._threads)

    async def __call__(self, content: bytes, *, photo: bool = False) -> DecodedImage:
        """Decode the bytes of one file as soon as a process is free. Raises ImageError."""
        await self._free.acquire()
        worker = self._idle.popleft()
        loop = asyncio.get_running_loop()
        decoding = loop.run_in_executor(self._threads, worker.decode, content, photo)
        decoding.add_done_callback(partial(self._release, worker, _Timeout(loop, worker)))
        return await asyncio.shield(decoding)  # a cancelled caller does not free the process, which is still working

    def _release(self, worker: DecodeClient, timeout: "_Timeout", decoding: "asyncio.Future[DecodedImage]") -> None:
        timeout.cancel()
        if not decoding.cancelled():
            decoding.exception()  # retrieved, in case the caller no longer awaits it
        if not worker.alive and self.close.alive:
            worker = self._replace(worker)
        self._idle.append(worker)
        self._free.release()

    def _replace(self, worker: DecodeClient) -> DecodeClient:
        try:
            replacement = DecodeClient(self._setup)
        except OSError:
            return worker  # no process can be started now: the next image tries again
        worker.close()
        self._workers.discard(worker)
        self._workers.add(replacement)
        return replacement


class _Timeout:
    """Timer that kills a process that takes too long to start, and then to decode. Lives for one image."""

    def __init__(self, loop: asyncio.AbstractEventLoop, worker: DecodeClient) -> None:
        self._loop, self._worker, self._cancelled = loop, worker, False
        self._timer = loop.call_later(MAX_START_S, worker.kill)
        if worker.ready.done():
            self._start_decoding()
        else:
            worker.ready.add_done_callback(self._on_ready)

    def cancel(self) -> None:
        """Stop the timer."""
        self._cancelled = True
        self._timer.cancel()

    def _on_ready(self, _: "Future[None]") -> None:
        with suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(self._start_decoding)

    def _start_decoding(self) -> None:
        self._timer.cancel()
        if not self._cancelled:
            self._timer = self._loop.call_later(decode_client.MAX_DECODE_S, self._worker.kill)


def _stop(workers: set[DecodeClient], threads: ThreadPoolExecutor) -> None:
    for worker in workers:
        worker.kill()  # nothing awaits its result any more
    threads.shutdown(wait=True, cancel_futures=True)
    for worker in workers:
        worker.close()
