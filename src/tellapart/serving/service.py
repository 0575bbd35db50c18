"""What happens to the pictures of a request: a place, decoding, inference, the answer. Knows nothing of HTTP."""

import asyncio
import time
from collections.abc import Sequence
from typing import Any

from tellapart.errors import PictureError
from tellapart.serving.admission import Admission, BusyError
from tellapart.serving.answering import Answering
from tellapart.serving.decoder import Decoded
from tellapart.serving.decoding import Decoders
from tellapart.serving.inference import Inference, Row
from tellapart.serving.metrics import Metrics
from tellapart.serving.overlays import Overlays, overlays_of
from tellapart.serving.settings import Settings
from tellapart.serving.upload import Upload

EXPLAIN_S = 30.0  # an explanation asks the classifier up to hundreds of times
Answer = dict[str, Any]


class Service:
    """A classifier at work for many callers. Lives while it is served; `close` ends its threads and processes."""

    def __init__(self, predictor: Answering, settings: Settings, overlays: Overlays | None = None) -> None:
        """Make all parts ready. Raises BundleError."""
        self.predictor = predictor
        self.settings = settings
        self.metrics = Metrics()
        self.admission = Admission(settings.queue, settings.max_body_bytes, self.metrics)
        self.overlays = overlays or overlays_of(predictor.bundle)
        self._decoders = Decoders(predictor.bundle.preprocessing, settings)  # first: they start while it is compiled
        try:
            self._inference = Inference(predictor.runner_for_many())
        except BaseException:
            self._decoders.close()
            raise

    def close(self) -> None:
        """End all parts; call when no request is under way."""
        self._decoders.close()
        self._inference.close()
        if self.overlays is not None:
            self.overlays.close()

    async def answers(self, uploads: Sequence[Upload], *, top: int, explain: bool = False) -> list[Answer]:
        """Answer for each picture with its `top` classes; in place of one that cannot be read `{"path", "error"}`.

        Raises PictureError when none can be read, BusyError when there is no place, or no answer within the deadline.
        """
        with self.admission.entered(len(uploads)):
            found = await asyncio.gather(*(self._one(upload, top, explain=explain) for upload in uploads))
        refused = [one for one in found if isinstance(one, PictureError | BusyError)]
        if refused and (len(refused) == len(found) or isinstance(refused[0], BusyError)):
            raise refused[0]
        pairs = zip(uploads, found, strict=True)
        return [one if isinstance(one, dict) else {"path": upload.name, "error": str(one)} for upload, one in pairs]

    async def _one(self, upload: Upload, top: int, *, explain: bool) -> Answer | PictureError | BusyError:
        try:
            return await self._answer(upload, top, explain=explain)
        except (PictureError, BusyError) as error:
            return error

    async def _answer(self, upload: Upload, top: int, *, explain: bool) -> Answer:
        started = time.perf_counter()
        try:
            async with asyncio.timeout(self.settings.deadline_s):
                decoded = await self._decoders(upload.content, photo=explain)
                row = await self._inference(decoded.fitted)
        except TimeoutError as error:
            self.admission.refused("late")
            raise BusyError(f"there was no answer within {self.settings.deadline_s:g} s") from error
        self._note(decoded, row, time.perf_counter() - started)
        answer = self.predictor.told(upload.name, row.vector, top).as_json()
        self.metrics.answered(answer["label"], unknown=answer["unknown"])
        if explain and self.overlays is not None:
            answer["explanation"] = await self._explained(self.overlays, decoded, answer["label"])
        return answer

    def _note(self, decoded: Decoded, row: Row, total: float) -> None:
        inferring = row.ended - row.began
        self.metrics.took("decode", decoded.seconds)
        self.metrics.took("infer", inferring)
        self.metrics.took("queue", total - decoded.seconds - inferring)

    async def _explained(self, overlays: Overlays, decoded: Decoded, label: str) -> dict[str, str]:
        try:
            async with asyncio.timeout(EXPLAIN_S):
                with self.metrics.timed("explain"):
                    return await overlays(decoded.fitted, decoded.photo, label)
        except TimeoutError as error:
            self.admission.refused("late")
            raise BusyError(f"there was no explanation within {EXPLAIN_S:g} s") from error
