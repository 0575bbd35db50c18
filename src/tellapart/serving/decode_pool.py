"""A pool of decoder processes, which are killed when an image takes too much time or memory.

A hostile file can make a decoder hang or crash, which no thread survives. Decoding in threads instead would save about
half a millisecond of the three that a photo takes.
"""

import asyncio
import json
import signal
import subprocess
import threading
import time
import weakref
from collections import deque
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, BinaryIO, cast

import numpy as np

from tellapart.data.decoding.conversion import ImageArray
from tellapart.data.decoding.decode_limits import Limits
from tellapart.data.preprocessing import Preprocessing
from tellapart.errors import ImageError
from tellapart.serving.decode_worker import READY, REQUEST_HEAD, RESPONSE_HEAD
from tellapart.serving.settings import Settings, default_workers
from tellapart.worker_process import worker_command, worker_environment

MAX_CPU_S = 1.5  # of one core; a photo of 50 million pixels takes less than one second
MAX_DECODE_S = 4.0  # wall-clock time, for a decoder that hangs without computing; a busy machine is slower
MAX_EXIT_S = 2.0
_CPU_TIME_SIGNAL = getattr(signal, "SIGPROF", signal.SIGTERM)  # never sent on systems without SIGPROF
MAX_START_S = 10.0  # for a process to start
MEMORY_MARGIN = 1.5  # on what decoding is estimated to take
PROCESS_BYTES = 256_000_000  # of the process itself and small images


@dataclass(frozen=True)
class DecodedImage:
    """A preprocessed image, the whole photo at a reduced size if requested, and the seconds that decoding took."""

    image: ImageArray
    photo: ImageArray
    seconds: float


class DecodeClient:
    """Owner of one decoder process. Call `decode` from one thread at a time, `kill` from any."""

    def __init__(self, setup: Mapping[str, Any]) -> None:
        self.ready: Future[None] = Future()
        """Done when the process is ready or has exited."""
        self._killed = False
        self._process = subprocess.Popen(
            worker_command("tellapart.serving.decode_worker", setup),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C goes to the service, which stops the process itself
            env=worker_environment(OPENBLAS_NUM_THREADS="1"),
        )
        self._requests = cast(BinaryIO, self._process.stdin)
        self._responses = cast(BinaryIO, self._process.stdout)
        threading.Thread(target=self._await_ready, daemon=True).start()

    def _await_ready(self) -> None:
        self._responses.read(len(READY))
        self.ready.set_result(None)

    @property
    def alive(self) -> bool:
        """True if it accepts another request."""
        return not self._killed and self._process.poll() is None

    def decode(self, content: bytes, photo: bool) -> DecodedImage:
        """Send a file and wait for its pixels. Raises ImageError; RuntimeError if the decoder failed to start."""
        self.ready.result()
        started = time.perf_counter()
        try:
            self._requests.write(REQUEST_HEAD.pack(len(content), photo) + content)
            self._requests.flush()
            images = self._read_response()
        except (OSError, EOFError, ValueError) as error:  # the process has exited, or its pipes are closed
            raise self._exit_error() from error
        return DecodedImage(images[0], images[-1], time.perf_counter() - started)

    def _read_response(self) -> list[ImageArray]:
        (size,) = RESPONSE_HEAD.unpack(self._read(RESPONSE_HEAD.size))
        fields = json.loads(self._read(size))
        if "error" in fields:
            raise ImageError(fields["error"])
        return [np.frombuffer(self._read(int(np.prod(shape))), np.uint8).reshape(shape) for shape in fields["shapes"]]

    def _read(self, size: int) -> bytes:
        content = self._responses.read(size)
        if len(content) < size:
            raise EOFError
        return content

    def _exit_error(self) -> Exception:
        status = self._process.wait()  # its pipe is closed, so it has exited or is about to
        if self._killed:
            return ImageError(f"cannot be decoded within {MAX_DECODE_S} s")
        if status == -_CPU_TIME_SIGNAL:
            return ImageError(f"cannot be decoded within {MAX_CPU_S} s of CPU time")
        if status < 0:
            return ImageError(f"cannot be decoded: it crashed the decoder (signal {-status})")
        return RuntimeError(f"a decoder exited with status {status}; its error output is above")

    def kill(self) -> None:
        """Kill the process."""
        self._killed = True
        self._process.kill()

    def close(self) -> None:
        """Let the process exit by itself, or kill it after `MAX_EXIT_S`."""
        with suppress(OSError):  # bytes that it never read
            self._requests.close()
        try:
            self._process.wait(MAX_EXIT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self.ready.result()  # no thread reads from it any more
        self._responses.close()


class DecodePool:
    """Decoder processes. Lives as long as the service; `close` stops them. For one event loop."""

    def __init__(self, preprocessing: Preprocessing, settings: Settings) -> None:
        count = settings.workers or default_workers()
        self._setup = {
            "preprocessing": preprocessing.as_json(),
            "max_pixels": settings.max_pixels,
            "max_bytes": settings.max_body_bytes,
            "memory_bytes": PROCESS_BYTES + round(MEMORY_MARGIN * Limits(pixels=settings.max_pixels).memory),
            "max_cpu_s": MAX_CPU_S,
        }
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
            self._timer = self._loop.call_later(MAX_DECODE_S, self._worker.kill)


def _stop(workers: set[DecodeClient], threads: ThreadPoolExecutor) -> None:
    for worker in workers:
        worker.kill()  # nothing awaits its result any more
    threads.shutdown(wait=True, cancel_futures=True)
    for worker in workers:
        worker.close()
