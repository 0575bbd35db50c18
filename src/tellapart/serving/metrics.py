"""What the service counts, for Prometheus."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

# Seconds: from a small network's forward pass to what nobody should wait for.
STEPS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
ELSEWHERE = "other"  # one name for all paths that lead nowhere: a stranger does not get to make new series
CONTENT_TYPE = CONTENT_TYPE_LATEST


class Metrics:
    """Counters of one service, in a registry of their own. Safe for several threads."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter("tellapart_requests", "Requests answered", ["route", "status"], registry=self.registry)
        self.stages = Histogram(
            "tellapart_stage_seconds",
            "Seconds an image spends in a stage: body, queue, decode, infer, explain",
            ["stage"],
            buckets=STEPS,
            registry=self.registry,
        )
        self.queue = Gauge("tellapart_queue_pictures", "Images under way, waiting or at work", registry=self.registry)
        self.rejects = Counter(
            "tellapart_rejects",
            "Requests not answered: busy, memory, late, lost",
            ["reason"],
            registry=self.registry,
        )
        self.predictions = Counter("tellapart_predictions", "Answers", ["label"], registry=self.registry)
        self.unknown = Counter("tellapart_unknown", "Answers that were: I don't know", registry=self.registry)
        share = Gauge("tellapart_unknown_share", "Share of the answers: I don't know", registry=self.registry)
        share.set_function(self._unknown_share)
        self._answers = self._unknown = 0

    def answered(self, label: str, *, unknown: bool) -> None:
        """Count an answer."""
        self._answers += 1
        self.predictions.labels(label).inc()
        if unknown:
            self._unknown += 1
            self.unknown.inc()

    def took(self, stage: str, seconds: float) -> None:
        """Note how long a stage took."""
        self.stages.labels(stage).observe(seconds)

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Note how long the block takes."""
        started = time.perf_counter()
        try:
            yield
        finally:
            self.took(stage, time.perf_counter() - started)

    def text(self) -> bytes:
        """All of it in Prometheus' text format."""
        return generate_latest(self.registry)

    def _unknown_share(self) -> float:
        return self._unknown / self._answers if self._answers else 0.0


class Counted:
    """ASGI middleware that counts requests by route and status."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self.app = app
        self._requests = metrics.requests

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and count its answer."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                route = getattr(scope.get("route"), "path", None) or ELSEWHERE
                self._requests.labels(route, str(message["status"])).inc()
            await send(message)

        await self.app(scope, receive, counted)
