"""A decoder in a process of its own, which whoever waits for it may kill.

    python -m tellapart.serving.decode_worker SETUP

reads requests on standard input and answers on standard output until the input ends. SETUP is JSON: preprocessing,
max_pixels, max_bytes, memory_bytes, compute_s. A request is `REQUEST` and the file's bytes; an answer is `ANSWER`, so
many bytes of JSON, which is {"error"} or {"shapes"}, and the pixels of each shape, uint8. Before the first, `GREETING`
says that it is ready.
"""

import json
import os
import signal
import struct
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

import numpy as np

from tellapart.data.image import ImageArray, Limits, decode
from tellapart.data.preprocessing import Preprocessing, to_image
from tellapart.errors import ImageError

REQUEST = struct.Struct("<Q?")  # bytes of the file; whether the whole photo is wanted too
ANSWER = struct.Struct("<Q")  # bytes of JSON
GREETING = b"\n"
LARGEST_PHOTO = 640  # pixels along the longer side of the photo that comes back


def main() -> None:
    """Answer until the input ends."""
    setup = json.loads(sys.argv[1])
    source, answers = sys.stdin.buffer, sys.stdout.buffer
    sys.stdout = sys.stderr  # whatever a library prints must not get between the answers
    _limit_memory(setup["memory_bytes"])
    limits = Limits(bytes=setup["max_bytes"], pixels=setup["max_pixels"])
    preprocessing = Preprocessing(**setup["preprocessing"])
    answers.write(GREETING)
    answers.flush()
    while len(head := source.read(REQUEST.size)) == REQUEST.size:
        size, photo = REQUEST.unpack(head)
        content = source.read(size)
        with _at_most(setup["compute_s"]):
            answer = _answer(content, limits, preprocessing, photo=photo)
        _write(answers, answer)


def _answer(content: bytes, limits: Limits, preprocessing: Preprocessing, *, photo: bool) -> list[ImageArray] | str:
    try:
        image = decode(content, limits=limits)
        fitted = preprocessing(image)
        return [fitted, _small(image)] if photo else [fitted]
    except ImageError as error:
        return str(error)
    except MemoryError:
        return "cannot be decoded: it takes too much memory"


def _small(image: ImageArray) -> ImageArray:
    """The photo at `LARGEST_PHOTO` at most, for an explanation to be drawn on."""
    pil_image = to_image(image)
    pil_image.thumbnail((LARGEST_PHOTO, LARGEST_PHOTO))
    return np.asarray(pil_image).reshape(pil_image.height, pil_image.width, image.shape[2])


def _write(stream: BinaryIO, answer: list[ImageArray] | str) -> None:
    images = [] if isinstance(answer, str) else [np.ascontiguousarray(image) for image in answer]
    facts: dict[str, Any] = {"shapes": [image.shape for image in images]}
    text = json.dumps({"error": answer} if isinstance(answer, str) else facts).encode()
    stream.write(ANSWER.pack(len(text)) + text)
    for image in images:
        stream.write(image.data)
    stream.flush()


@contextmanager
def _at_most(seconds: float) -> Iterator[None]:
    """End this process by SIGPROF once the block has computed for so long, where the system can do that.

    Waiting for a busy machine does not count: it is no image's fault.
    """
    if os.name != "posix":
        yield
        return
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def _limit_memory(allowed: int) -> None:
    """Let the allocations of this process fail beyond so many bytes, where the system can do that."""
    if os.name == "posix":
        import resource

        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        resource.setrlimit(resource.RLIMIT_DATA, (allowed, hard))


if __name__ == "__main__":
    main()
