"""Many images: decoded ahead in threads, and run through an engine; in order, in bounded memory."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from tellapart.data.dataset import Images
from tellapart.data.image import ImageArray
from tellapart.data.preprocessing import Preprocessing
from tellapart.errors import ImageError
from tellapart.jobs import cores

BATCH = 8  # images the engine takes at once; measured: more are no faster on 2 cores, and take more memory
Vector = NDArray[np.float32]
ERRORS_HELD = 8  # for each image of a batch; beyond, the batch is run though it is not full
In = TypeVar("In")
Out = TypeVar("Out")


class Runner(Protocol):
    """Takes batches of up to `batch` rows and gives a vector for each row, in order: an Engine, or several in a row."""

    @property
    def batch(self) -> int:
        """How many it takes at once."""

    def run(self, batches: Iterable[NDArray[Any]]) -> Iterator[Vector]:
        """For each batch yield float32 (len(batch), width)."""


def prefetch_map(work: Callable[[In], Out], items: Iterable[In], *, depth: int) -> Iterator[Out]:
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


def preprocessed(
    images: Images, preprocessing: Preprocessing, order: Sequence[int]
) -> Iterator[ImageArray | ImageError]:
    """Each image at the classifier's size, uint8 (height, width, channels), or why it cannot be had."""

    def one(index: int) -> ImageArray | ImageError:
        try:
            return preprocessing(images.read(index))
        except ImageError as error:
            return error

    return prefetch_map(one, order, depth=4 * BATCH)


def run_engine(engine: Runner, images: Iterable[ImageArray | ImageError]) -> Iterator[Vector | ImageError]:
    """Run images of one size through an engine: for each its float32 (width,), or the error in its place."""
    waiting: deque[list[ImageError | None]] = deque()

    def batches() -> Iterator[ImageArray]:
        for group in _groups(images, engine.batch):
            readable = [one for one in group if not isinstance(one, ImageError)]
            # Made anew: an error that was raised keeps its file's bytes alive for as long as it waits.
            waiting.append([ImageError(*one.args) if isinstance(one, ImageError) else None for one in group])
            yield np.stack(readable) if readable else np.empty(0, np.uint8)

    for vectors in engine.run(batches()):
        rows = iter(vectors)
        for error in waiting.popleft():
            yield next(rows) if error is None else error


def _groups(images: Iterable[ImageArray | ImageError], size: int) -> Iterator[list[ImageArray | ImageError]]:
    """Give up to `size` images at a time with the errors between them, or fewer so that no error waits for long."""
    held: list[ImageArray | ImageError] = []
    readable = 0
    for image in images:
        held.append(image)
        readable += not isinstance(image, ImageError)
        if readable == size or len(held) == ERRORS_HELD * size:
            yield held
            held, readable = [], 0
    if held:
        yield held


def decoding_threads() -> int:
    """How many threads decode while the engine runs: Pillow works outside Python's lock."""
    return max(2, cores())
