"""What happens to the images of a request: a place, the work, what is counted. Knows nothing of HTTP."""

import asyncio
import time
from collections.abc import Sequence

from tellapart.errors import ImageError
from tellapart.serving.admission import SHORTEST_QUEUE, Admission, BusyError
from tellapart.serving.backend import Answer, Backend, Done, LateError
from tellapart.serving.interfaces import Facts
from tellapart.serving.metrics import Metrics
from tellapart.serving.settings import Settings
from tellapart.serving.upload import Upload


class Service:
    """A classifier at work for many callers. Lives while it is served; `close` ends whoever does the work."""

    def __init__(self, bundle: Facts, settings: Settings, work: Backend, *, shortest: int = SHORTEST_QUEUE) -> None:
        """Let in `shortest` images at once, however slow they are; `settings.queue` at most."""
        self.bundle = bundle
        self.settings = settings
        self.work = work
        self.metrics = Metrics()
        self.admission = Admission(settings.queue, settings.max_body_bytes, self.metrics, shortest=shortest)

    def close(self) -> None:
        """End all parts; call when no request is under way."""
        self.work.close()

    async def answers(self, uploads: Sequence[Upload], *, top: int, explain: bool = False) -> list[Answer]:
        """Answer for each image with its `top` classes; in place of one that cannot be read `{"path", "error"}`.

        Raises ImageError when none can be read, BusyError when there is no place, or no answer within the deadline.
        """
        with self.admission.entered(len(uploads)):
            found = await asyncio.gather(*(self._one(upload, top, explain=explain) for upload in uploads))
        refused = [one for one in found if isinstance(one, ImageError | BusyError)]
        if refused and (len(refused) == len(found) or isinstance(refused[0], BusyError)):
            raise refused[0]
        pairs = zip(uploads, found, strict=True)
        return [one if isinstance(one, dict) else {"path": upload.name, "error": str(one)} for upload, one in pairs]

    async def _one(self, upload: Upload, top: int, *, explain: bool) -> Answer | ImageError | BusyError:
        started = time.perf_counter()
        try:
            done = await self.work(upload, top=top, explain=explain)
        except LateError as error:
            self.admission.refused(error.reason)
            return BusyError(str(error))
        except ImageError as error:
            return error
        self._note(done, time.perf_counter() - started)
        return done.answer

    def _note(self, done: Done, total: float) -> None:
        for stage, seconds in done.seconds.items():
            self.metrics.took(stage, seconds)
        self.metrics.took("queue", total - sum(done.seconds.values()))
        self.metrics.answered(done.answer["label"], unknown=done.answer["unknown"])
