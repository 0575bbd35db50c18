"""Many pictures: decoded ahead in threads, and run through an engine; in order, in bounded memory."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from tellapart.data.dataset import Pictures
from tellapart.data.image import Picture
from tellapart.data.preprocessing import Preprocessing
from tellapart.errors import PictureError
from tellapart.jobs import cores

BATCH = 8  # pictures the engine takes at once; measured: more are no faster on 2 cores, and take more memory
Vector = NDArray[np.float32]
ERRORS_HELD = 8  # for each picture of a batch; beyond, the batch is run though it is not full
In = TypeVar("In")
Out = TypeVar("Out")


class Runner(Protocol):
    """Takes batches of up to `batch` rows and gives a vector for each row, in order: an Engine, or several in a row."""

    @property
    def batch(self) -> int:
        """How many it takes at once."""

    def run(self, batches: Iterable[NDArray[Any]]) -> Iterator[Vector]:
        """For each batch yield float32 (len(batch), width)."""


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


def through(engine: Runner, pictures: Iterable[Picture | PictureError]) -> Iterator[Vector | PictureError]:
    """Run pictures of one size through an engine: for each its float32 (width,), or the error in its place."""
    waiting: deque[list[PictureError | None]] = deque()

    def batches() -> Iterator[Picture]:
        for group in _groups(pictures, engine.batch):
            readable = [one for one in group if not isinstance(one, PictureError)]
            # Made anew: an error that was raised keeps its file's bytes alive for as long as it waits.
            waiting.append([PictureError(*one.args) if isinstance(one, PictureError) else None for one in group])
            yield np.stack(readable) if readable else np.empty(0, np.uint8)

    for vectors in engine.run(batches()):
        rows = iter(vectors)
        for error in waiting.popleft():
            yield next(rows) if error is None else error


def _groups(pictures: Iterable[Picture | PictureError], size: int) -> Iterator[list[Picture | PictureError]]:
    """Give up to `size` pictures at a time with the errors between them, or fewer so that no error waits for long."""
    held: list[Picture | PictureError] = []
    readable = 0
    for picture in pictures:
        held.append(picture)
        readable += not isinstance(picture, PictureError)
        if readable == size or len(held) == ERRORS_HELD * size:
            yield held
            held, readable = [], 0
    if held:
        yield held


def decoding_threads() -> int:
    """How many threads decode while the engine runs: Pillow works outside Python's lock."""
    return max(2, cores())
