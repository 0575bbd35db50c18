"""Many pictures: decoded ahead in threads, and run through an engine; in order, in bounded memory."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from tellapart.data.dataset import Pictures
from tellapart.data.picture import Picture
from tellapart.data.preprocessing import Preprocessing
from tellapart.engine import Engine
from tellapart.errors import PictureError

BATCH = 8  # pictures the engine takes at once; measured: more are no faster on 2 cores, and take more memory
Vector = NDArray[np.float32]
In = TypeVar("In")
Out = TypeVar("Out")


def ahead(work: Callable[[In], Out], items: Iterable[In], *, depth: int) -> Iterator[Out]:
    """Like `map`, in order, with up to `depth` items being worked on in threads before they are asked for."""
    with ThreadPoolExecutor(decoding_threads()) as pool:
        waiting: deque[Future[Out]] = deque()
        try:
            for item in items:
                waiting.append(pool.submit(work, item))
                if len(waiting) >= depth:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def fitted(pictures: Pictures, preprocessing: Preprocessing, order: Sequence[int]) -> Iterator[Picture | PictureError]:
    """Each picture at the classifier's size, uint8 (height, width, channels), or why it cannot be had."""

    def one(index: int) -> Picture | PictureError:
        try:
            return preprocessing(pictures.read(index))
        except PictureError as error:
            return error

    return ahead(one, order, depth=4 * BATCH)


def through(engine: Engine, pictures: Iterable[Picture | PictureError]) -> Iterator[Vector | PictureError]:
    """Run pictures of one size through an engine: for each its float32 (width,), or the error in its place."""
    waiting: deque[PictureError | None] = deque()

    def readable() -> Iterator[Picture]:
        for picture in pictures:
            waiting.append(picture if isinstance(picture, PictureError) else None)
            if not isinstance(picture, PictureError):
                yield picture

    for batch in engine.run(_stacked(readable(), engine.batch)):
        for vector in batch:
            while (error := waiting.popleft()) is not None:
                yield error
            yield vector
    yield from (error for error in waiting if error is not None)


def _stacked(pictures: Iterable[Picture], size: int) -> Iterator[Picture]:
    held: list[Picture] = []
    for picture in pictures:
        held.append(picture)
        if len(held) == size:
            yield np.stack(held)
            held = []
    if held:
        yield np.stack(held)


def decoding_threads() -> int:
    """How many threads decode while the engine runs: Pillow works outside Python's lock."""
    return max(2, os.cpu_count() or 1)
