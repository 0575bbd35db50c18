"""The service: admission, prediction, metrics and the log for the images of a request. Independent of HTTP."""

import asyncio
import sys
import time
from collections.abc import Sequence

from tellapart.errors import ImageError
from tellapart.serving.admission import MIN_QUEUE, Admission, BusyError
from tellapart.serving.backend import Answer, Backend, BackendError, BackendResult
from tellapart.serving.interfaces import BundleLike
from tellapart.serving.metrics import Metrics
from tellapart.serving.request_log import RequestLog, RequestRecord
from tellapart.serving.settings import Settings
from tellapart.serving.upload import Upload


class Service:
    """A classifier for many concurrent callers. Lives while it is served; `close` stops its backend."""

    def __init__(self, bundle: BundleLike, settings: Settings, backend: Backend, *, min_queue: int = MIN_QUEUE) -> None:
        """Admit at least `min_queue` images concurrently, however slow they are, and `settings.queue` at most."""
        self.bundle = bundle
        self.settings = settings
        self.backend = backend
        self.metrics = Metrics()
        self.request_log = RequestLog(settings.log_format, bundle.id, sys.stdout)
        self.admission = Admission(settings.queue, settings.max_body_bytes, self.metrics, min_queue=min_queue)

    def close(self) -> None:
        """Stop the backend and the log; call when no request is in flight."""
        self.backend.close()
        self.request_log.close()

    async def predict(
        self,
        uploads: Sequence[Upload],
        record: RequestRecord,
        *,
        top: int,
        explain: bool = False,
        logits: bool = False,
    ) -> list[Answer]:
        """Return the `top` classes of each image, and their logits; `{"path", "error"}` for one that cannot be read.

        The record gets the number of images and how long the stages took.
        Raises ImageError if none can be read, BusyError if the queue is full or the deadline passes.
        """
        record.images = len(uploads)
        with self.admission.admit(len(uploads)):
            predictions = (self._predict_one(upload, record, top, explain=explain, logits=logits) for upload in uploads)
            results = await asyncio.gather(*predictions)
        errors = [result for result in results if isinstance(result, ImageError | BusyError)]
        if errors and (len(errors) == len(results) or isinstance(errors[0], BusyError)):
            raise errors[0]
        return [
            result if isinstance(result, dict) else {"path": upload.name, "error": str(result)}
            for upload, result in zip(uploads, results, strict=True)
        ]

    async def _predict_one(
        self, upload: Upload, record: RequestRecord, top: int, *, explain: bool, logits: bool
    ) -> Answer | ImageError | BusyError:
        started = time.perf_counter()
        try:
            result = await self.backend(upload, top=top, explain=explain, logits=logits)
        except BackendError as error:
            self.admission.count_rejection(error.reason)
            return BusyError(str(error))
        except ImageError as error:
            return error
        self._record(result, record, time.perf_counter() - started)
        return result.answer

    def _record(self, result: BackendResult, record: RequestRecord, total_s: float) -> None:
        waited = {"queue": total_s - sum(result.seconds.values())}
        for stage, seconds in (result.seconds | waited).items():
            self.metrics.observe_stage(stage, seconds)
            record.add(stage, seconds)
        self.metrics.count_prediction(result.answer["label"], unknown=result.answer["unknown"])
