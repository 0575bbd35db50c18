"""Metrics for Prometheus."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

# Seconds: from a small network's forward pass to longer than any caller should wait.
STAGE_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
UNMATCHED_ROUTE = "other"  # one label for all unknown paths, so that callers cannot create new time series
CONTENT_TYPE = CONTENT_TYPE_LATEST


class Metrics:
    """Metrics of one service, in a registry of their own. Thread-safe."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter("tellapart_requests", "Requests answered", ["route", "status"], registry=self.registry)
        self.stages = Histogram(
            "tellapart_stage_seconds",
            "Seconds an image spends in a stage: body, queue, decode, infer, explain",
            ["stage"],
            buckets=STAGE_BUCKETS_S,
            registry=self.registry,
        )
        self.queue = Gauge("tellapart_queue_pictures", "Images in flight, waiting or running", registry=self.registry)
        self.rejects = Counter(
            "tellapart_rejects",
            "Requests rejected: busy, memory, late, lost",
            ["reason"],
            registry=self.registry,
        )
        self.predictions = Counter("tellapart_predictions", "Predictions", ["label"], registry=self.registry)
        self.unknown = Counter("tellapart_unknown", "Predictions rejected as unknown", registry=self.registry)
        share = Gauge("tellapart_unknown_share", "Share of predictions rejected as unknown", registry=self.registry)
        share.set_function(self._unknown_share)
        self._predictions = self._unknown = 0

    def count_prediction(self, label: str, *, unknown: bool) -> None:
        """Count a prediction."""
        self._predictions += 1
        self.predictions.labels(label).inc()
        if unknown:
            self._unknown += 1
            self.unknown.inc()

    def observe_stage(self, stage: str, seconds: float) -> None:
        """Record the duration of a stage."""
        self.stages.labels(stage).observe(seconds)

    def render(self) -> bytes:
        """Return all metrics in Prometheus' text format."""
        return generate_latest(self.registry)

    def _unknown_share(self) -> float:
        return self._unknown / self._predictions if self._predictions else 0.0


class MetricsMiddleware:
    """ASGI middleware that counts requests by route and status."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self.app = app
        self._requests = metrics.requests

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Forward a request, and count its response."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def counting_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                route = getattr(scope.get("route"), "path", None) or UNMATCHED_ROUTE
                self._requests.labels(route, str(message["status"])).inc()
            await send(message)

        await self.app(scope, receive, counting_send)
