"""Admission control: bounds on images and bytes in flight, and that every reservation is released."""

from contextlib import suppress
from dataclasses import dataclass

import pytest

from tellapart.serving.admission import (
    IDLE_S,
    MAX_BODIES_BYTES,
    MAX_WAIT_S,
    MIN_QUEUE,
    PACE_MIN_IN_FLIGHT,
    RETRY_AFTER_S,
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


def test_a_request_beyond_the_capacity_is_rejected_with_a_retry_after_header(
    admission: Admission, metrics: Metrics
) -> None:
    with admission.admit(2):
        admission.check()
        with pytest.raises(BusyError) as error, admission.admit(2):
            pass
        assert error.value.status == 503
        assert error.value.headers == {"Retry-After": str(RETRY_AFTER_S)}
        with admission.admit(1):
            assert admission.full
            with pytest.raises(BusyError, match="3 images are in flight"):
                admission.check()
    assert (admission.in_flight, admission.full) == (0, False)
    assert metrics.registry.get_sample_value("tellapart_rejects_total", {"reason": "busy"}) == 2


def test_an_error_releases_the_place(admission: Admission) -> None:
    with pytest.raises(ZeroDivisionError), admission.admit(3):
        raise ZeroDivisionError
    assert admission.in_flight == 0


def test_bytes_are_counted_and_released(admission: Admission, metrics: Metrics) -> None:
    with admission.reserve_body() as first, admission.reserve_body() as second:
        first(MAX_BODIES_BYTES - 10)
        second(10)
        with pytest.raises(BusyError, match="too many bytes"):
            second(1)
    with admission.reserve_body() as reserve:
        reserve(MAX_BODIES_BYTES)
    assert metrics.registry.get_sample_value("tellapart_rejects_total", {"reason": "memory"}) == 1


def test_one_body_of_the_largest_size_always_fits(metrics: Metrics) -> None:
    with Admission(1, 500_000_000, metrics).reserve_body() as reserve:
        reserve(500_000_000)


@dataclass
class Clock:
    """A clock that the test advances."""

    now: float = 0.0

    def __call__(self) -> float:
        """Seconds."""
        return self.now


def answer_images(admission: Admission, clock: Clock, *, count: int, each_s: float) -> None:
    """Answer images one after the other while many are in flight."""
    admission.in_flight += PACE_MIN_IN_FLIGHT
    for _ in range(count):
        with admission.admit(1):
            clock.now += each_s
    admission.in_flight -= PACE_MIN_IN_FLIGHT
    with admission.admit(1):
        clock.now += each_s


def capacity_of(admission: Admission) -> int:
    for count in range(1000):
        admission.in_flight = count
        if admission.full:
            break
    admission.in_flight = 0
    return count


def test_the_queue_adapts_to_the_pace_of_the_machine(metrics: Metrics) -> None:
    clock = Clock()
    admission = Admission(64, 1, metrics, clock)
    assert capacity_of(admission) == 64
    answer_images(admission, clock, count=100, each_s=0.02)
    assert capacity_of(admission) == pytest.approx(MAX_WAIT_S / 0.02, abs=2)
    answer_images(admission, clock, count=100, each_s=5)
    assert capacity_of(admission) == MIN_QUEUE
    answer_images(admission, clock, count=200, each_s=0.001)
    assert capacity_of(admission) == 64
    larger = Admission(64, 1, metrics, clock, min_queue=24)
    answer_images(larger, clock, count=100, each_s=5)
    assert capacity_of(larger) == 24


def test_cancelled_requests_do_not_change_the_pace(metrics: Metrics) -> None:
    clock = Clock()
    admission = Admission(64, 1, metrics, clock)
    answer_images(admission, clock, count=100, each_s=0.05)
    admission.in_flight += PACE_MIN_IN_FLIGHT
    for _ in range(100):
        with suppress(ZeroDivisionError), admission.admit(1):
            raise ZeroDivisionError
    assert capacity_of(admission) == pytest.approx(MAX_WAIT_S / 0.05, abs=2)


def test_idle_time_does_not_change_the_pace(metrics: Metrics) -> None:
    clock = Clock()
    admission = Admission(64, 1, metrics, clock)
    for _ in range(100):
        with admission.admit(1):
            clock.now += 3
    assert capacity_of(admission) == 64


def test_it_is_idle_once_nothing_was_asked_for_a_while(metrics: Metrics) -> None:
    now = [100.0]
    admission = Admission(3, 10_000_000, metrics, clock=lambda: now[0])
    idle = [admission.idle]  # nothing has ever been asked
    admission.check()
    idle.append(admission.idle)
    with admission.reserve_body() as reserve:
        reserve(1)
        now[0] += 2 * IDLE_S
        idle.append(admission.idle)  # an upload is under way
    idle.append(admission.idle)
    with admission.admit(1):
        now[0] += 2 * IDLE_S
        idle.append(admission.idle)
    idle.append(admission.idle)  # answered just now
    now[0] += 2 * IDLE_S
    idle.append(admission.idle)
    assert idle == [True, False, False, True, False, False, True]
