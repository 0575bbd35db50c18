"""Who is let in: a bounded number of images and of bytes under way; everyone else is refused at once.

Nobody holds a place while the body is on its way, so that slow senders take none from others.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tellapart.serving.errors import RequestError
from tellapart.serving.metrics import Metrics

RETRY_AFTER_S = 1
LONGEST_WAIT_S = 0.7  # a longer queue has nobody answered sooner, and everybody later
SHORTEST_QUEUE = 8  # whatever the pace: enough to keep all cores busy, and to learn a new pace from
STEADY = 4  # images under way from which on the time between two answers is the machine's pace, not the callers'
MEMORY = 0.1  # weight of the latest of these times in their running mean
BODIES_BYTES = 64_000_000  # of bodies held at once; a single one may be larger where the settings allow it
RETRY = {"Retry-After": str(RETRY_AFTER_S)}


class BusyError(RequestError):
    """A request that cannot be answered now, and may be sent again."""

    def __init__(self, why: str) -> None:
        super().__init__(503, f"{why}: send it again in {RETRY_AFTER_S} s or later", RETRY)


class Admission:
    """Counts images and bytes under way. Lives as long as the service; for the event loop's thread alone.

    There are `places`, or as many as are answered within `LONGEST_WAIT_S` at the pace of late, where those are fewer,
    but always `shortest`.
    """

    def __init__(
        self,
        places: int,
        max_body_bytes: int,
        metrics: Metrics,
        clock: Callable[[], float] = time.monotonic,
        *,
        shortest: int = SHORTEST_QUEUE,
    ) -> None:
        self.places = places
        self.shortest = shortest
        self.taken = 0
        self.draining = False
        self._metrics = metrics
        self._most_bytes = max(BODIES_BYTES, 2 * max_body_bytes)
        self._bytes = 0
        self._clock = clock
        self._pace_s = 0.0  # between two answers
        self._last: float | None = None  # when the last answer went out, if much was under way then
        metrics.queue.set_function(lambda: self.taken)

    @property
    def full(self) -> bool:
        """Whether a request would be refused now."""
        return self.taken >= min(self.places, max(self.shortest, LONGEST_WAIT_S / max(self._pace_s, 1e-6)))

    def refused(self, reason: str) -> None:
        """Count a request that was turned away."""
        self._metrics.rejects.labels(reason).inc()

    def check(self) -> None:
        """Refuse a request before its body is read. Raises BusyError."""
        if self.full:
            self.refused("busy")
            raise BusyError(f"{self.taken} images are under way, and one more is too many")

    @contextmanager
    def entered(self, images: int) -> Iterator[None]:
        """Hold a place for each image of a request. Raises BusyError."""
        if self.full or self.taken + images > self.places:
            self.refused("busy")
            raise BusyError(f"{self.taken} images are under way, and {images} more are too many")
        self.taken += images
        answered = 0
        try:
            yield
            answered = images
        finally:
            self.taken -= images
            self._learn(answered)

    def _learn(self, answered: int) -> None:
        """Take the time since the last answer into the pace, where there was work for all cores meanwhile."""
        now = self._clock()
        if self._last is not None and answered:
            latest = (now - self._last) / answered
            self._pace_s = latest if not self._pace_s else (1 - MEMORY) * self._pace_s + MEMORY * latest
        self._last = now if self.taken >= STEADY else None

    @contextmanager
    def body(self) -> Iterator[Callable[[int], None]]:
        """Give what counts a body's bytes as they arrive, and may raise BusyError. They count until the block ends."""
        held = 0

        def count(size: int) -> None:
            nonlocal held
            if self._bytes + size > self._most_bytes:
                self.refused("memory")
                raise BusyError("too many bytes of images are under way")
            held += size
            self._bytes += size

        try:
            yield count
        finally:
            self._bytes -= held
