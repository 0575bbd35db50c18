"""Client of one decoder process."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from typing import BinaryIO, cast

import numpy as np

from tellapart.data.decode import ImageArray
from tellapart.errors import ImageError
from tellapart.serving.decode_worker import READY, REQUEST_HEAD, RESPONSE_HEAD

MAX_CPU_S = 1.5  # of one core; a photo of 50 million pixels takes less than one second
MAX_DECODE_S = 4.0  # wall-clock time, for a decoder that hangs without computing; a busy machine is slower
MAX_EXIT_S = 2.0
_CPU_TIME_SIGNAL = getattr(signal, "SIGPROF", signal.SIGTERM)  # never sent on systems without SIGPROF


@dataclass(frozen=True)
class DecodedImage:
    """A preprocessed image, the whole photo at a reduced size if requested, and the seconds that decoding took."""

    image: ImageArray
    photo: ImageArray
    seconds: float


class DecodeClient:
    """Owner of one decoder process. Call `decode` from one thread at a time, `kill` from any."""

    def __init__(self, setup: str) -> None:
        self.ready: Future[None] = Future()
        """Done when the process is ready or has exited."""
        self._killed = False
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tellapart.serving.decode_worker", setup],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C goes to the service, which stops the process itself
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
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
