"""One decoding process, seen from the service."""

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

from tellapart.data.image import ImageArray
from tellapart.errors import ImageError
from tellapart.serving.decode_worker import ANSWER, GREETING, REQUEST

COMPUTE_S = 1.5  # of one core; a photo of 50 million pixels takes less than one second
DECODE_S = 4.0  # wall clock, for what hangs without computing; a busy machine takes longer over what it does
ENDING_S = 2.0
_COMPUTED_TOO_LONG = getattr(signal, "SIGPROF", signal.SIGTERM)  # where there is none, nothing is ended by it


@dataclass(frozen=True)
class Decoded:
    """An image as the classifier takes it, the whole photo at a smaller size where asked for, and seconds it took."""

    fitted: ImageArray
    photo: ImageArray
    seconds: float


class Decoder:
    """One process. `ask` is called from one thread at a time, `kill` from any."""

    def __init__(self, setup: str) -> None:
        self.greeting: Future[None] = Future()
        """Done when the process is ready, or has ended."""
        self._killed = False
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tellapart.serving.decode_worker", setup],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C is the service's, which ends it in its own time
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
        )
        self._requests = cast(BinaryIO, self._process.stdin)
        self._answers = cast(BinaryIO, self._process.stdout)
        threading.Thread(target=self._greeted, daemon=True).start()

    def _greeted(self) -> None:
        self._answers.read(len(GREETING))
        self.greeting.set_result(None)

    @property
    def alive(self) -> bool:
        """Whether it can be asked again."""
        return not self._killed and self._process.poll() is None

    def ask(self, content: bytes, photo: bool) -> Decoded:
        """Send a file and wait for its pixels. Raises ImageError; RuntimeError when no decoder can be had."""
        self.greeting.result()
        started = time.perf_counter()
        try:
            self._requests.write(REQUEST.pack(len(content), photo) + content)
            self._requests.flush()
            images = self._answer()
        except (OSError, EOFError, ValueError) as error:  # the process is gone, or its pipes
            raise self._why() from error
        return Decoded(images[0], images[-1], time.perf_counter() - started)

    def _answer(self) -> list[ImageArray]:
        (size,) = ANSWER.unpack(self._read(ANSWER.size))
        facts = json.loads(self._read(size))
        if "error" in facts:
            raise ImageError(facts["error"])
        return [np.frombuffer(self._read(int(np.prod(shape))), np.uint8).reshape(shape) for shape in facts["shapes"]]

    def _read(self, size: int) -> bytes:
        content = self._answers.read(size)
        if len(content) < size:
            raise EOFError
        return content

    def _why(self) -> Exception:
        status = self._process.wait()  # it has ended, or is about to: its pipe is closed
        if self._killed:
            return ImageError(f"cannot be decoded within {DECODE_S} s")
        if status == -_COMPUTED_TOO_LONG:
            return ImageError(f"cannot be decoded within {COMPUTE_S} s of computing")
        if status < 0:
            return ImageError(f"cannot be decoded: it brought the decoder down (signal {-status})")
        return RuntimeError(f"a decoder ended with status {status}; its own words stand above this")

    def kill(self) -> None:
        """End it at once."""
        self._killed = True
        self._process.kill()

    def end(self) -> None:
        """End it in its own time, a short one."""
        with suppress(OSError):  # bytes that it never took
            self._requests.close()
        try:
            self._process.wait(ENDING_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self.greeting.result()  # nobody reads any more
        self._answers.close()
