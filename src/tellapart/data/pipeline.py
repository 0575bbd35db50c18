"""Streams of many images: decoded ahead in threads and run through an engine, in order and in bounded memory."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from tellapart.data.dataset import Skipped
from tellapart.data.decoding.conversion import ImageArray
from tellapart.data.images import Images
from tellapart.data.preprocessing import Preprocessing
from tellapart.errors import ImageError
from tellapart.jobs import cores

BATCH = 8  # images per run of the engine; measured: more are no faster on 2 cores, and take more memory
MAX_ERRORS = 8  # per image of a batch: beyond, the batch is run though it is not full
Vector = NDArray[np.float32]
In = TypeVar("In")
Out = TypeVar("Out")


class Runner(Protocol):
    """Computes a vector for each row of batches of up to `batch` rows, in order: an Engine, or several in a row."""

    @property
    def batch(self) -> int:
        """The maximum number of rows in a batch."""

    def run(self, batches: Iterable[NDArray[Any]]) -> Iterator[Vector]:
        """Yield float32 (len(batch), width) for each batch."""


@dataclass(frozen=True)
class ReadableRows:
    """Values computed for the images of a set that can be read."""

    values: NDArray[Any]
    """(len(kept), ...)"""
    kept: tuple[int, ...]
    """The index of each row's image in the set."""
    skipped: tuple[Skipped, ...]
    """The images that cannot be read."""


def prefetch_map(function: Callable[[In], Out], items: Iterable[In], *, depth: int) -> Iterator[Out]:
    """Apply a function to items like `map`, in order, computing up to `depth` results ahead in threads."""
    with ThreadPoolExecutor(decoding_threads()) as pool:
        pending: deque[Future[Out]] = deque()
        try:
            for item in items:
                pending.append(pool.submit(function, item))
                if len(pending) >= depth:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            for future in pending:
                future.cancel()


def preprocessed(
    images: Images, preprocessing: Preprocessing, order: Sequence[int]
) -> Iterator[ImageArray | ImageError]:
    """Read and preprocess images, given by their indices: uint8 (height, width, channels), or the error, of each."""

    def read(index: int) -> ImageArray | ImageError:
        try:
            return preprocessing(images.read(index, preprocessing.conversion))
        except ImageError as error:
            return error

    return prefetch_map(read, order, depth=4 * BATCH)


def run_engine(engine: Runner, images: Iterable[ImageArray | ImageError]) -> Iterator[Vector | ImageError]:
    """Run preprocessed images through an engine: yields float32 (width,) for each, or the error in its place."""
    pending: deque[list[ImageError | None]] = deque()

    def batches() -> Iterator[ImageArray]:
        for group in _groups(images, engine.batch):
            readable = [image for image in group if not isinstance(image, ImageError)]
            # Copies: an error that was raised keeps its file's bytes alive through its traceback.
            pending.append([ImageError(*image.args) if isinstance(image, ImageError) else None for image in group])
            yield np.stack(readable) if readable else np.empty(0, np.uint8)

    for vectors in engine.run(batches()):
        rows = iter(vectors)
        for error in pending.popleft():
            yield next(rows) if error is None else error


def _groups(images: Iterable[ImageArray | ImageError], size: int) -> Iterator[list[ImageArray | ImageError]]:
    """Yield groups of `size` images with the errors between them, or fewer where there are many errors."""
    group: list[ImageArray | ImageError] = []
    readable = 0
    for image in images:
        group.append(image)
        readable += not isinstance(image, ImageError)
        if readable == size or len(group) == MAX_ERRORS * size:
            yield group
            group, readable = [], 0
    if group:
        yield group


def decoding_threads() -> int:
    """Return the number of threads that decode while the engine runs: Pillow releases the GIL."""
    return max(2, cores())
