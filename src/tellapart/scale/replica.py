"""A replica of a served bundle, which Ray Serve starts, calls and replaces; and the backend that calls the replicas."""

import asyncio
import os
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from tellapart.bundles.batch.chunks import ChunkPrediction
from tellapart.errors import ImageError
from tellapart.jobs import CORES
from tellapart.serving.backend import (
    MAX_EXPLAIN_S,
    BackendError,
    BackendResult,
    DeadlineError,
    LocalBackend,
    WorkerLostError,
)
from tellapart.serving.settings import Settings
from tellapart.serving.upload import Upload

Handle = Any
"""Ray Serve's handle to an app: its type is known only where Ray is installed."""


@dataclass(frozen=True)
class ReplicaConfig:
    """Configuration of a replica: how to load the bundle, and the limits."""

    prediction: ChunkPrediction
    settings: Settings


class Replica:
    """A process on some machine, with a core of its own, that decodes, predicts and explains as the local service does.

    Lives until Ray Serve ends it; its decoding processes end with it.
    """

    def __init__(self, config: ReplicaConfig) -> None:
        """Load the bundle. Raises BundleError, after which Ray Serve gives up."""
        os.environ[CORES] = "1"
        self._backend = LocalBackend(config.prediction.predictor(), config.settings)

    async def __call__(
        self, upload: Upload, top: int, explain: bool, logits: bool
    ) -> BackendResult | ImageError | BackendError:
        """Predict an image; an error is returned, not raised."""
        try:
            return await self._backend(upload, top=top, explain=explain, logits=logits)
        except (ImageError, BackendError) as error:
            return error

    async def check_health(self) -> None:
        """Return, which shows Ray Serve that this process still responds."""


@dataclass(frozen=True)
class Replicas:
    """The replicas of an app as a Backend; Ray Serve chooses one for each image. Lives as long as the app."""

    ray: ModuleType
    handle: Handle
    deadline_s: float
    explains: bool = True

    async def __call__(self, upload: Upload, *, top: int, explain: bool, logits: bool) -> BackendResult:
        """See Backend. Raises WorkerLostError for an image whose replica was killed."""
        limit = self.deadline_s + MAX_EXPLAIN_S * explain  # the way there counts too, and waiting for a replica
        asked = self.handle.remote(upload, top, explain, logits)
        try:
            async with asyncio.timeout(limit):
                result: BackendResult | ImageError | BackendError = await asked
        except asyncio.CancelledError:  # the caller disconnected
            asked.cancel()
            raise
        except TimeoutError as error:
            asked.cancel()
            raise DeadlineError(f"there was no answer within {limit:g} s") from error
        except self.ray.exceptions.RayTaskError:  # a bug in the replica, reported as one
            raise
        except (self.ray.exceptions.RayError, self.ray.serve.exceptions.RayServeException) as error:
            raise WorkerLostError("the replica that was at work on this image is no more") from error
        if isinstance(result, ImageError | BackendError):
            raise result
        return result

    def close(self) -> None:
        """Do nothing: the app ends after the service."""
