"""What is done for one image of a request: decoding, inference, the answer, where the classifier looked.

It is done in this process, or wherever another `Work` has it done. Knows nothing of HTTP.
"""

import asyncio
import time
from dataclasses import dataclass
from typing import Any, Protocol

from tellapart.serving.decode_client import Decoded
from tellapart.serving.decode_pool import Decoders
from tellapart.serving.inference import Inference
from tellapart.serving.interfaces import Answering
from tellapart.serving.overlays import Overlays, overlays_of
from tellapart.serving.settings import Settings
from tellapart.serving.upload import Upload

EXPLAIN_S = 30.0  # an explanation asks the classifier up to hundreds of times
Answer = dict[str, Any]


class LateError(Exception):
    """There is no answer in time, which is not the image's fault. `reason` is what it is counted as."""

    reason = "late"


class LostError(LateError):
    """There is no answer, since whoever was at work on it is no more."""

    reason = "lost"


@dataclass(frozen=True)
class Done:
    """An image's answer, in the shape of `predict --json`, and the seconds that it spent in each stage."""

    answer: Answer
    seconds: dict[str, float]


class Backend(Protocol):
    """Answers images, several at once. Lives as long as the service."""

    @property
    def explains(self) -> bool:
        """Whether it can draw where the classifier looked."""

    async def __call__(self, upload: Upload, *, top: int, explain: bool) -> Done:
        """Answer for an image with its `top` classes. Raises ImageError, LateError."""

    def close(self) -> None:
        """End all that is at work; called when no image is under way."""


class LocalBackend:
    """This process, and those that it has for decoding."""

    def __init__(self, predictor: Answering, settings: Settings, overlays: Overlays | None = None) -> None:
        """Make all parts ready. Raises BundleError."""
        self._predictor = predictor
        self._deadline_s = settings.deadline_s
        self._overlays = overlays or overlays_of(predictor.bundle)
        self._decoders = Decoders(predictor.bundle.preprocessing, settings)  # first: they start while it is compiled
        try:
            self._inference = Inference(predictor.runner_for_many())
        except BaseException:
            self._decoders.close()
            raise

    @property
    def explains(self) -> bool:
        """See Work."""
        return self._overlays is not None

    async def __call__(self, upload: Upload, *, top: int, explain: bool) -> Done:
        """See Work."""
        try:
            async with asyncio.timeout(self._deadline_s):
                decoded = await self._decoders(upload.content, photo=explain)
                row = await self._inference(decoded.fitted)
        except TimeoutError as error:
            raise LateError(f"there was no answer within {self._deadline_s:g} s") from error
        answer = self._predictor.told(upload.name, row.vector, top).as_json()
        seconds = {"decode": decoded.seconds, "infer": row.ended - row.began}
        if explain and self._overlays is not None:
            began = time.perf_counter()
            answer["explanation"] = await self._explained(self._overlays, decoded, answer["label"])
            seconds["explain"] = time.perf_counter() - began
        return Done(answer, seconds)

    def close(self) -> None:
        """See Work."""
        self._decoders.close()
        self._inference.close()
        if self._overlays is not None:
            self._overlays.close()

    async def _explained(self, overlays: Overlays, decoded: Decoded, label: str) -> dict[str, str]:
        try:
            async with asyncio.timeout(EXPLAIN_S):
                return await overlays(decoded.fitted, decoded.photo, label)
        except TimeoutError as error:
            raise LateError(f"there was no explanation within {EXPLAIN_S:g} s") from error
