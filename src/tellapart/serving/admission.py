"""Admission control: bounds on images in flight and on bytes in memory; requests beyond them are rejected immediately.

A request takes its place in the queue only once its body has arrived, so slow senders cannot block others.
"""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tellapart.serving.errors import RequestError
from tellapart.serving.metrics import Metrics

RETRY_AFTER_S = 1
MAX_WAIT_S = 0.7  # a longer queue answers nobody sooner and everybody later
MIN_QUEUE = 8  # at any pace: enough to keep all cores busy and to measure a new pace
PACE_MIN_IN_FLIGHT = 4  # with fewer images in flight, the time between answers is the callers' pace, not the machine's
PACE_WEIGHT = 0.1  # of the latest interval in the exponential moving average
IDLE_S = 1.0  # without a request: a load balancer that sent none for so long is not about to send one
MAX_BODIES_BYTES = 64_000_000  # of all bodies in memory; one body may be larger if the settings allow it
RETRY_HEADERS = {"Retry-After": str(RETRY_AFTER_S)}


class BusyError(RequestError):
    """A request that cannot be answered now and may be retried."""

    def __init__(self, reason: str) -> None:
        super().__init__(503, f"{reason}: retry in {RETRY_AFTER_S} s or later", RETRY_HEADERS)


class Admission:
    """Counter of images and bytes in flight. Lives as long as the service; use it from the event loop's thread only.

    Up to `capacity` images are admitted, or as many as the recent pace answers within `MAX_WAIT_S` if that is fewer,
    but never fewer than `min_queue`.
    """

    def __init__(
        self,
        capacity: int,
        max_body_bytes: int,
        metrics: Metrics,
        clock: Callable[[], float] = time.monotonic,
        *,
        min_queue: int = MIN_QUEUE,
    ) -> None:
        self.capacity = capacity
        self.min_queue = min_queue
        self.in_flight = 0
        self.draining = False
        self._metrics = metrics
        self._max_bytes = max(MAX_BODIES_BYTES, 2 * max_body_bytes)
        self._bytes = 0
        self._clock = clock
        self._pace_s = 0.0  # between two answers
        self._last_answer: float | None = None  # None if little was in flight then
        self._last_request = -math.inf
        metrics.queue.set_function(lambda: self.in_flight)

    @property
    def full(self) -> bool:
        """True if a request would be rejected now."""
        return self.in_flight >= min(self.capacity, max(self.min_queue, MAX_WAIT_S / max(self._pace_s, 1e-6)))

    @property
    def idle(self) -> bool:
        """True if nothing is in flight, and nothing has been for `IDLE_S`."""
        return not self.in_flight and not self._bytes and self._clock() - self._last_request > IDLE_S

    def count_rejection(self, reason: str) -> None:
        """Count a rejected request."""
        self._metrics.rejects.labels(reason).inc()

    def check(self) -> None:
        """Reject a request before its body is read. Raises BusyError."""
        self._last_request = self._clock()
        if self.full:
            self.count_rejection("busy")
            raise BusyError(f"{self.in_flight} images are in flight, which is the limit")

    @contextmanager
    def admit(self, images: int) -> Iterator[None]:
        """Count the images of a request as in flight until the block ends. Raises BusyError."""
        if self.full or self.in_flight + images > self.capacity:
            self.count_rejection("busy")
            raise BusyError(f"{self.in_flight} images are in flight, and {images} more would exceed the limit")
        self.in_flight += images
        answered = 0
        try:
            yield
            answered = images
        finally:
            self.in_flight -= images
            self._last_request = self._clock()
            self._update_pace(answered)

    def _update_pace(self, answered: int) -> None:
        """Average in the time since the last answer, if there was work for all cores meanwhile."""
        now = self._clock()
        if self._last_answer is not None and answered:
            latest = (now - self._last_answer) / answered
            self._pace_s = latest if not self._pace_s else (1 - PACE_WEIGHT) * self._pace_s + PACE_WEIGHT * latest
        self._last_answer = now if self.in_flight >= PACE_MIN_IN_FLIGHT else None

    @contextmanager
    def reserve_body(self) -> Iterator[Callable[[int], None]]:
        """Yield a function that reserves bytes of a body, or raises BusyError; the end of the block releases them."""
        reserved = 0

        def reserve(size: int) -> None:
            nonlocal reserved
            if self._bytes + size > self._max_bytes:
                self.count_rejection("memory")
                raise BusyError("too many bytes of images are in flight")
            reserved += size
            self._bytes += size

        try:
            yield reserve
        finally:
            self._bytes -= reserved
