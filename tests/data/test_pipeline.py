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

from tellapart.data.dataset import ArrayPictures
from tellapart.data.image import Picture
from tellapart.data.pipeline import BATCH, ahead, decoding_threads, fitted, through
from tellapart.data.preprocessing import Preprocessing
from tellapart.data.sources.arrays import array_split
from tellapart.engine import Engine, Vectors
from tellapart.errors import PictureError


@pytest.mark.parametrize("depth", [1, 2, 5, 100])
@pytest.mark.parametrize("count", [0, 1, 4, 50])
def test_results_come_in_order_however_long_each_takes(count: int, depth: int) -> None:
    def work(item: int) -> int:
        time.sleep(0.001 * (item % 3))
        return item * 10

    assert list(ahead(work, range(count), depth=depth)) == [item * 10 for item in range(count)]


@pytest.mark.parametrize("depth", [1, 3, 8])
def test_no_more_items_than_the_depth_are_taken_ahead(depth: int) -> None:
    taken = delivered = 0

    def items() -> Iterator[int]:
        nonlocal taken
        for item in range(60):
            taken += 1
            assert taken - delivered <= depth
            yield item

    for _ in ahead(lambda item: item, items(), depth=depth):
        delivered += 1
        assert taken - delivered <= depth
    assert delivered == 60


def test_items_are_worked_on_at_once() -> None:
    together = threading.Barrier(2)
    assert len(list(ahead(lambda _: together.wait(timeout=10), range(2), depth=2))) == 2


def test_an_error_comes_where_its_result_would() -> None:
    def work(item: int) -> int:
        if item == 3:
            raise KeyError("mine")
        return item

    results = ahead(work, range(1000), depth=10)
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(KeyError, match="mine"):
        next(results)


def test_an_error_of_the_items_passes_through() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        list(ahead(lambda item: item, items(), depth=4))


def test_who_stops_early_leaves_no_thread_behind() -> None:
    before = threading.active_count()
    results = ahead(lambda item: item, range(10**9), depth=4)
    next(results)
    cast(Any, results).close()
    assert threading.active_count() == before


def test_several_threads_decode() -> None:
    assert decoding_threads() >= 2


class Doubling:
    """Stands for an engine: answers each picture with twice its first value, and remembers what it was given."""

    def __init__(self, batch: int = 4) -> None:
        self.batch = batch
        self.sizes: list[int] = []

    def run(self, batches: Iterable[Picture]) -> Iterator[Vectors]:
        """One batch behind, as the true one is several."""
        held: list[Vectors] = []
        for batch in batches:
            assert len(batch) <= self.batch
            self.sizes.append(len(batch))
            held.append(batch.reshape(len(batch), batch[:1].size)[:, :1].astype(np.float32) * 2)
            if len(held) == 2:
                yield held.pop(0)
        yield from held


def answers(items: Iterable[Picture | PictureError], batch: int = 4) -> list[object]:
    stream = through(cast(Engine, Doubling(batch)), items)
    return [str(answer) if isinstance(answer, PictureError) else float(answer[0]) for answer in stream]


def picture(value: int) -> Picture:
    return np.full((2, 2, 1), value, np.uint8)


@settings(deadline=None)
@given(st.lists(st.booleans(), max_size=150), st.integers(1, 9))
def test_every_error_keeps_its_place(readable: list[bool], batch: int) -> None:
    items = [picture(i) if good else PictureError(f"bad {i}") for i, good in enumerate(readable)]
    assert answers(items, batch) == [2.0 * i if good else f"bad {i}" for i, good in enumerate(readable)]


def test_batches_are_full_though_errors_lie_between() -> None:
    engine = Doubling(4)
    items = [PictureError("bad") if i % 3 == 0 else picture(1) for i in range(60)]
    assert len(list(through(cast(Engine, engine), items))) == 60
    assert engine.sizes == [4] * 10


def test_errors_alone_are_answered_as_they_come() -> None:
    taken = 0

    def errors() -> Iterator[PictureError]:
        nonlocal taken
        while taken < 10_000:
            taken += 1
            yield PictureError(f"bad {taken}")

    stream = through(cast(Engine, Doubling()), errors())
    assert [str(next(stream)) for _ in range(3)] == ["bad 1", "bad 2", "bad 3"]
    assert taken < 100


class Weight:
    """Stands for the bytes of a large file."""


def test_a_waiting_error_does_not_keep_its_files_bytes() -> None:
    watched: list[weakref.ref[Weight]] = []

    def decode(content: Weight) -> None:
        watched.append(weakref.ref(content))
        raise PictureError("bad")

    def one() -> PictureError:
        try:
            decode(Weight())
        except PictureError as error:
            return error
        raise AssertionError

    errors = (one() for _ in range(30))
    results = list(through(cast(Engine, Doubling()), errors))
    assert len(results) == 30
    assert not any(weight() for weight in watched)


class Half(ArrayPictures):
    """Every other picture cannot be read."""

    def read(self, index: int) -> Picture:
        """Refuse the odd ones."""
        if index % 2:
            raise PictureError(f"bad {index}")
        return super().read(index)


def test_fitted_gives_pictures_at_the_size_or_the_reason() -> None:
    split = array_split(np.arange(10, dtype=np.uint8).repeat(9).reshape(10, 3, 3), np.zeros(10, int))
    assert isinstance(split.pictures, ArrayPictures)
    pictures = Half(split.pictures.array, split.pictures.digests)
    order = [4, 1, 8, 3]
    seen = list(fitted(pictures, Preprocessing(5, 6, 3), order))
    assert [str(one) if isinstance(one, PictureError) else int(one[0, 0, 0]) for one in seen] == [
        4,
        "bad 1",
        8,
        "bad 3",
    ]
    assert all(isinstance(one, PictureError) or one.shape == (5, 6, 3) for one in seen)


def test_few_pictures_are_held_at_once() -> None:
    held = most = 0
    lock = threading.Lock()

    class Counted(ArrayPictures):
        def read(self, index: int) -> Picture:
            nonlocal held, most
            with lock:
                held += 1
                most = max(most, held)
            return super().read(index)

    split = array_split(np.zeros((500, 2, 2), np.uint8), np.zeros(500, int))
    assert isinstance(split.pictures, ArrayPictures)
    pictures = Counted(split.pictures.array, split.pictures.digests)
    for _ in fitted(pictures, Preprocessing(2, 2, 1), range(500)):
        with lock:
            held -= 1
    assert most <= 4 * BATCH
