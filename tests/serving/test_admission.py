"""Who is let in, and that every place is given back."""

from contextlib import suppress
from dataclasses import dataclass

import pytest

from tellapart.serving.admission import (
    BODIES_BYTES,
    LONGEST_WAIT_S,
    RETRY_AFTER_S,
    SHORTEST_QUEUE,
    STEADY,
    Admission,
    BusyError,
)
from tellapart.serving.metrics import Metrics


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
def admission(metrics: Metrics) -> Admission:
    return Admission(3, 10_000_000, metrics)


def test_beyond_the_places_a_request_is_refused_with_when_to_come_again(admission: Admission, metrics: Metrics) -> None:
    with admission.entered(2):
        admission.check()
        with pytest.raises(BusyError) as refused, admission.entered(2):
            pass
        assert refused.value.status == 503
        assert refused.value.headers == {"Retry-After": str(RETRY_AFTER_S)}
        with admission.entered(1):
            assert admission.full
            with pytest.raises(BusyError, match="3 images are under way"):
                admission.check()
    assert (admission.taken, admission.full) == (0, False)
    assert metrics.registry.get_sample_value("tellapart_rejects_total", {"reason": "busy"}) == 2


def test_a_place_comes_back_after_an_error(admission: Admission) -> None:
    with pytest.raises(ZeroDivisionError), admission.entered(3):
        raise ZeroDivisionError
    assert admission.taken == 0


def test_bytes_are_counted_and_given_back(admission: Admission, metrics: Metrics) -> None:
    with admission.body() as one, admission.body() as other:
        one(BODIES_BYTES - 10)
        other(10)
        with pytest.raises(BusyError, match="too many bytes"):
            other(1)
    with admission.body() as again:
        again(BODIES_BYTES)
    assert metrics.registry.get_sample_value("tellapart_rejects_total", {"reason": "memory"}) == 1


def test_one_body_as_large_as_allowed_always_fits(metrics: Metrics) -> None:
    with Admission(1, 500_000_000, metrics).body() as count:
        count(500_000_000)


@dataclass
class Clock:
    """A clock that is set by hand."""

    now: float = 0.0

    def __call__(self) -> float:
        """Seconds."""
        return self.now


def let_out(admission: Admission, clock: Clock, *, count: int, each_s: float) -> None:
    """Answer images one after the other while many are under way."""
    admission.taken += STEADY
    for _ in range(count):
        with admission.entered(1):
            clock.now += each_s
    admission.taken -= STEADY
    with admission.entered(1):
        clock.now += each_s


def places_of(admission: Admission) -> int:
    for count in range(1000):
        admission.taken = count
        if admission.full:
            break
    admission.taken = 0
    return count


def test_the_queue_is_as_long_as_the_machine_is_quick(metrics: Metrics) -> None:
    clock = Clock()
    admission = Admission(64, 1, metrics, clock)
    assert places_of(admission) == 64
    let_out(admission, clock, count=100, each_s=0.02)
    assert places_of(admission) == pytest.approx(LONGEST_WAIT_S / 0.02, abs=2)
    let_out(admission, clock, count=100, each_s=5)
    assert places_of(admission) == SHORTEST_QUEUE
    let_out(admission, clock, count=200, each_s=0.001)
    assert places_of(admission) == 64
    longer = Admission(64, 1, metrics, clock, shortest=24)
    let_out(longer, clock, count=100, each_s=5)
    assert places_of(longer) == 24


def test_who_gave_up_teaches_nothing(metrics: Metrics) -> None:
    clock = Clock()
    admission = Admission(64, 1, metrics, clock)
    let_out(admission, clock, count=100, each_s=0.05)
    admission.taken += STEADY
    for _ in range(100):
        with suppress(ZeroDivisionError), admission.entered(1):
            raise ZeroDivisionError
    assert places_of(admission) == pytest.approx(LONGEST_WAIT_S / 0.05, abs=2)


def test_a_quiet_time_teaches_nothing(metrics: Metrics) -> None:
    clock = Clock()
    admission = Admission(64, 1, metrics, clock)
    for _ in range(100):
        with admission.entered(1):
            clock.now += 3
    assert places_of(admission) == 64
