"""A decoder process, which its client may kill.

    python -P -m tellapart.serving.decode_worker SETUP

It reads requests from standard input and writes responses to standard output until the input ends. SETUP is JSON:
preprocessing, max_pixels, max_bytes, memory_bytes, max_cpu_s. A request is `REQUEST_HEAD` and the file's bytes. A
response is `RESPONSE_HEAD`, that many bytes of JSON, either {"error"} or {"shapes"}, and the pixels of each shape,
uint8. `READY` is written before the first request is read.
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

from tellapart.data.decoding.conversion import ImageArray
from tellapart.data.decoding.decode import decode
from tellapart.data.decoding.decode_limits import Limits
from tellapart.data.preprocessing import Preprocessing, to_image
from tellapart.errors import ImageError
from tellapart.worker_process import limit_resources

REQUEST_HEAD = struct.Struct("<Q?")  # bytes of the file; whether to return the whole photo too
RESPONSE_HEAD = struct.Struct("<Q")  # bytes of JSON
READY = b"\n"
MAX_PHOTO_SIDE = 640  # pixels along the longer side of the photo that is returned


def main() -> None:
    """Serve requests until the input ends."""
    setup = json.loads(sys.argv[1])
    requests, responses = sys.stdin.buffer, sys.stdout.buffer
    sys.stdout = sys.stderr  # output that a library prints must not get between the responses
    limit_resources(setup["memory_bytes"])
    limits = Limits(bytes=setup["max_bytes"], pixels=setup["max_pixels"])
    preprocessing = Preprocessing(**setup["preprocessing"])
    responses.write(READY)
    responses.flush()
    while len(head := requests.read(REQUEST_HEAD.size)) == REQUEST_HEAD.size:
        size, photo = REQUEST_HEAD.unpack(head)
        content = requests.read(size)
        with _limit_cpu_time(setup["max_cpu_s"]):
            response = _decode(content, limits, preprocessing, photo=photo)
        _write(responses, response)


def _decode(content: bytes, limits: Limits, preprocessing: Preprocessing, *, photo: bool) -> list[ImageArray] | str:
    try:
        image = decode(content, limits=limits, conversion=preprocessing.conversion)
        preprocessed = preprocessing(image)
        return [preprocessed, _reduce(image)] if photo else [preprocessed]
    except ImageError as error:
        return str(error)
    except MemoryError:
        return "cannot be decoded: it takes too much memory"


def _reduce(image: ImageArray) -> ImageArray:
    """Shrink the photo to `MAX_PHOTO_SIDE`; explanations are drawn over it."""
    pil_image = to_image(image)
    pil_image.thumbnail((MAX_PHOTO_SIDE, MAX_PHOTO_SIDE))
    return np.asarray(pil_image).reshape(pil_image.height, pil_image.width, image.shape[2])


def _write(stream: BinaryIO, response: list[ImageArray] | str) -> None:
    images = [] if isinstance(response, str) else [np.ascontiguousarray(image) for image in response]
    shapes: dict[str, Any] = {"shapes": [image.shape for image in images]}
    text = json.dumps({"error": response} if isinstance(response, str) else shapes).encode()
    stream.write(RESPONSE_HEAD.pack(len(text)) + text)
    for image in images:
        stream.write(image.data)
    stream.flush()


@contextmanager
def _limit_cpu_time(seconds: float) -> Iterator[None]:
    """Kill this process by SIGPROF once the block has used that much CPU time, on systems that can.

    Waiting for a busy machine is not the image's fault, so wall-clock time is not measured.
    """
    if os.name != "posix":
        yield
        return
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


if __name__ == "__main__":
    main()
