"""Reading ahead: in order, bounded, errors in their place."""

import threading
import time
import weakref
from collections.abc import Iterable, Iterator
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tellapart.data.decoding.conversion import USUAL, Conversion, ImageArray
from tellapart.data.images import ArrayImages
from tellapart.data.pipeline import BATCH, decoding_threads, prefetch_map, preprocessed, run_engine
from tellapart.data.preprocessing import Preprocessing
from tellapart.data.sources.arrays import array_split
from tellapart.engine import Engine, Vectors
from tellapart.errors import ImageError


@pytest.mark.parametrize("depth", [1, 2, 5, 100])
@pytest.mark.parametrize("count", [0, 1, 4, 50])
def test_results_come_in_order_however_long_each_takes(count: int, depth: int) -> None:
    def work(item: int) -> int:
        time.sleep(0.001 * (item % 3))
        return item * 10

    assert list(prefetch_map(work, range(count), depth=depth)) == [item * 10 for item in range(count)]


@pytest.mark.parametrize("depth", [1, 3, 8])
def test_no_more_items_than_the_depth_are_taken_ahead(depth: int) -> None:
    taken = delivered = 0

    def items() -> Iterator[int]:
        nonlocal taken
        for item in range(60):
            taken += 1
            assert taken - delivered <= depth
            yield item

    for _ in prefetch_map(lambda item: item, items(), depth=depth):
        delivered += 1
        assert taken - delivered <= depth
    assert delivered == 60


def test_items_are_worked_on_at_once() -> None:
    together = threading.Barrier(2)
    assert len(list(prefetch_map(lambda _: together.wait(timeout=10), range(2), depth=2))) == 2


def test_an_error_comes_where_its_result_would() -> None:
    def work(item: int) -> int:
        if item == 3:
            raise KeyError("mine")
        return item

    results = prefetch_map(work, range(1000), depth=10)
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(KeyError, match="mine"):
        next(results)


def test_an_error_of_the_items_passes_through() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        list(prefetch_map(lambda item: item, items(), depth=4))


def test_who_stops_early_leaves_no_thread_behind() -> None:
    before = threading.active_count()
    results = prefetch_map(lambda item: item, range(10**9), depth=4)
    next(results)
    cast(Any, results).close()
    assert threading.active_count() == before


def test_several_threads_decode() -> None:
    assert decoding_threads() >= 2


class Doubling:
    """Stands for an engine: answers each image with twice its first value, and remembers what it was given."""

    def __init__(self, batch: int = 4) -> None:
        self.batch = batch
        self.sizes: list[int] = []

    def run(self, batches: Iterable[ImageArray]) -> Iterator[Vectors]:
        """One batch behind, as the true one is several."""
        held: list[Vectors] = []
        for batch in batches:
            assert len(batch) <= self.batch
            self.sizes.append(len(batch))
            held.append(batch.reshape(len(batch), batch[:1].size)[:, :1].astype(np.float32) * 2)
            if len(held) == 2:
                yield held.pop(0)
        yield from held


def answers(items: Iterable[ImageArray | ImageError], batch: int = 4) -> list[object]:
    stream = run_engine(cast(Engine, Doubling(batch)), items)
    return [str(answer) if isinstance(answer, ImageError) else float(answer[0]) for answer in stream]


def image(value: int) -> ImageArray:
    return np.full((2, 2, 1), value, np.uint8)


@settings(deadline=None)
@given(st.lists(st.booleans(), max_size=150), st.integers(1, 9))
def test_every_error_keeps_its_place(readable: list[bool], batch: int) -> None:
    items = [image(i) if good else ImageError(f"bad {i}") for i, good in enumerate(readable)]
    assert answers(items, batch) == [2.0 * i if good else f"bad {i}" for i, good in enumerate(readable)]


def test_batches_are_full_though_errors_lie_between() -> None:
    engine = Doubling(4)
    items = [ImageError("bad") if i % 3 == 0 else image(1) for i in range(60)]
    assert len(list(run_engine(cast(Engine, engine), items))) == 60
    assert engine.sizes == [4] * 10


def test_errors_alone_are_answered_as_they_come() -> None:
    taken = 0

    def errors() -> Iterator[ImageError]:
        nonlocal taken
        while taken < 10_000:
            taken += 1
            yield ImageError(f"bad {taken}")

    stream = run_engine(cast(Engine, Doubling()), errors())
    assert [str(next(stream)) for _ in range(3)] == ["bad 1", "bad 2", "bad 3"]
    assert taken < 100


class Weight:
    """Stands for the bytes of a large file."""


def test_a_waiting_error_does_not_keep_its_files_bytes() -> None:
    watched: list[weakref.ref[Weight]] = []

    def decode(content: Weight) -> None:
        watched.append(weakref.ref(content))
        raise ImageError("bad")

    def one() -> ImageError:
        try:
            decode(Weight())
        except ImageError as error:
            return error
        raise AssertionError

    errors = (one() for _ in range(30))
    results = list(run_engine(cast(Engine, Doubling()), errors))
    assert len(results) == 30
    assert not any(weight() for weight in watched)


class Half(ArrayImages):
    """Every other image cannot be read."""

    def read(self, index: int, conversion: Conversion = USUAL) -> ImageArray:
        """Refuse the odd ones."""
        if index % 2:
            raise ImageError(f"bad {index}")
        return super().read(index, conversion)


def test_fitted_gives_images_at_the_size_or_the_reason() -> None:
    split = array_split(np.arange(10, dtype=np.uint8).repeat(9).reshape(10, 3, 3), np.zeros(10, int))
    assert isinstance(split.images, ArrayImages)
    images = Half(split.images.array, split.images.digests)
    order = [4, 1, 8, 3]
    seen = list(preprocessed(images, Preprocessing(5, 6, 3), order))
    assert [str(one) if isinstance(one, ImageError) else int(one[0, 0, 0]) for one in seen] == [
        4,
        "bad 1",
        8,
        "bad 3",
    ]
    assert all(isinstance(one, ImageError) or one.shape == (5, 6, 3) for one in seen)


def test_few_images_are_held_at_once() -> None:
    held = most = 0
    lock = threading.Lock()

    class Counted(ArrayImages):
        def read(self, index: int, conversion: Conversion = USUAL) -> ImageArray:
            nonlocal held, most
            with lock:
                held += 1
                most = max(most, held)
            return super().read(index, conversion)

    split = array_split(np.zeros((500, 2, 2), np.uint8), np.zeros(500, int))
    assert isinstance(split.images, ArrayImages)
    images = Counted(split.images.array, split.images.digests)
    for _ in preprocessed(images, Preprocessing(2, 2, 1), range(500)):
        with lock:
            held -= 1
    assert most <= 4 * BATCH
