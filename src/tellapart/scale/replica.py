"""One replica of a served bundle: what Ray Serve starts, asks and replaces, and how it is asked."""

import asyncio
import os
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from tellapart.bundles.batch.chunks import ChunkPrediction
from tellapart.errors import ImageError
from tellapart.jobs import CORES
from tellapart.serving.backend import EXPLAIN_S, Done, LateError, LocalBackend, LostError
from tellapart.serving.settings import Settings
from tellapart.serving.upload import Upload

Handle = Any
"""Ray Serve's, to an app: its type is known only where Ray is installed."""


@dataclass(frozen=True)
class ReplicaConfig:
    """What a replica begins with: a bundle, which it reads where it finds it, and the limits."""

    answering: ChunkPrediction
    settings: Settings


class Replica:
    """A process with a core of its own, somewhere, that decodes, runs and explains as the embedded service does.

    Lives until Ray Serve ends it; the processes that decode for it end with it.
    """

    def __init__(self, beginning: ReplicaConfig) -> None:
        """Load the bundle. Raises BundleError, for which Ray Serve gives up."""
        os.environ[CORES] = "1"
        self._work = LocalBackend(beginning.answering.predictor(), beginning.settings)

    async def __call__(self, upload: Upload, top: int, explain: bool) -> Done | ImageError | LateError:
        """Answer for an image; why there is no answer is one too."""
        try:
            return await self._work(upload, top=top, explain=explain)
        except (ImageError, LateError) as error:
            return error

    async def check_health(self) -> None:
        """Say by returning that this process still gets round to it. Ray Serve asks now and then."""


@dataclass(frozen=True)
class Replicas:
    """All replicas of an app, whichever Ray Serve chooses for an image. Lives as long as the app."""

    ray: ModuleType
    handle: Handle
    deadline_s: float
    explains: bool = True

    async def __call__(self, upload: Upload, *, top: int, explain: bool) -> Done:
        """See Work. Raises LostError for an image whose replica was killed."""
        limit = self.deadline_s + EXPLAIN_S * explain  # the way there counts too, and waiting for a replica
        asked = self.handle.remote(upload, top, explain)
        try:
            async with asyncio.timeout(limit):
                found: Done | ImageError | LateError = await asked
        except asyncio.CancelledError:  # the caller has gone
            asked.cancel()
            raise
        except TimeoutError as error:
            asked.cancel()
            raise LateError(f"there was no answer within {limit:g} s") from error
        except self.ray.exceptions.RayTaskError:  # the replica failed: a mistake of ours, and answered as one
            raise
        except (self.ray.exceptions.RayError, self.ray.serve.exceptions.RayServeException) as error:
            raise LostError("the replica that was at work on this image is no more") from error
        if isinstance(found, ImageError | LateError):
            raise found
        return found

    def close(self) -> None:
        """End nothing: the app ends after the service."""
