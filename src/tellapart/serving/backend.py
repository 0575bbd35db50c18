"""Backends: decode one image of a request, run the classifier, and explain the prediction. Independent of HTTP."""

import asyncio
import time
from dataclasses import dataclass
from typing import Any, Protocol

from tellapart.serving.decode_pool import DecodedImage, DecodePool
from tellapart.serving.inference import Inference
from tellapart.serving.interfaces import PredictorLike
from tellapart.serving.overlays import OverlayRenderer, overlay_renderer
from tellapart.serving.settings import Settings
from tellapart.serving.upload import Upload

MAX_EXPLAIN_S = 30.0  # an explanation runs the classifier up to hundreds of times
Answer = dict[str, Any]


class BackendError(Exception):
    """No result, through no fault of the image. `reason` is the label under which the rejection is counted."""

    reason: str


class DeadlineError(BackendError):
    """The result did not arrive in time."""

    reason = "late"


class WorkerLostError(BackendError):
    """The worker died before it returned a result."""

    reason = "lost"


@dataclass(frozen=True)
class BackendResult:
    """An image's answer, in the shape of `predict --json`, and the seconds it spent in each stage."""

    answer: Answer
    seconds: dict[str, float]


class Backend(Protocol):
    """Classifier of single images, several concurrently. Lives as long as the service."""

    @property
    def explains(self) -> bool:
        """True if it can render explanations."""

    async def __call__(self, upload: Upload, *, top: int, explain: bool, logits: bool) -> BackendResult:
        """Classify an image: its `top` classes, with `logits` their logits. Raises ImageError, BackendError."""

    def close(self) -> None:
        """Stop all workers; called when no image is in flight."""


class LocalBackend:
    """A backend in this process, with child processes for decoding."""

    def __init__(self, predictor: PredictorLike, settings: Settings, overlays: OverlayRenderer | None = None) -> None:
        """Start the workers and compile the classifier. Raises BundleError."""
        self._predictor = predictor
        self._deadline_s = settings.deadline_s
        self._overlays = overlays or overlay_renderer(predictor.bundle)
        self._decoders = DecodePool(predictor.bundle.preprocessing, settings)  # first: they start during compilation
        try:
            self._inference = Inference(predictor.concurrent_runner())
        except BaseException:
            self._decoders.close()
            raise

    @property
    def explains(self) -> bool:
        """See Backend."""
        return self._overlays is not None

    async def __call__(self, upload: Upload, *, top: int, explain: bool, logits: bool) -> BackendResult:
        """See Backend."""
        try:
            async with asyncio.timeout(self._deadline_s):
                decoded = await self._decoders(upload.content, photo=explain)
                result = await self._inference(decoded.image)
        except TimeoutError as error:
            raise DeadlineError(f"there was no answer within {self._deadline_s:g} s") from error
        answer = self._predictor.to_prediction(upload.name, result.vector, top).as_json(logits=logits)
        seconds = {"decode": decoded.seconds, "infer": result.finished - result.started}
        if explain and self._overlays is not None:
            started = time.perf_counter()
            answer["explanation"] = await self._explain(self._overlays, decoded, answer["label"])
            seconds["explain"] = time.perf_counter() - started
        return BackendResult(answer, seconds)

    def close(self) -> None:
        """See Backend."""
        self._decoders.close()
        self._inference.close()
        if self._overlays is not None:
            self._overlays.close()

    async def _explain(self, overlays: OverlayRenderer, decoded: DecodedImage, label: str) -> dict[str, str]:
        try:
            async with asyncio.timeout(MAX_EXPLAIN_S):
                return await overlays(decoded.image, decoded.photo, label)
        except TimeoutError as error:
            raise DeadlineError(f"there was no explanation within {MAX_EXPLAIN_S:g} s") from error
