"""A bundle served over HTTP, with replicas on a Ray cluster that predict.

The service itself runs in this process, as without Ray: the page, the token, limits, refusals, draining and metrics
are the same code. Ray Serve starts the replicas, chooses one for each image, replaces and scales them. Its own HTTP
proxy is off, because it accepts a body of any size before the body could be refused.
"""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import ModuleType

from tellapart.bundles.batch.chunks import ChunkPrediction
from tellapart.bundles.bundle import Bundle
from tellapart.bundles.manifest import MANIFEST
from tellapart.errors import ClusterError, require
from tellapart.files import sha256
from tellapart.progress import notify
from tellapart.scale.cluster import address_of, ray_cluster
from tellapart.scale.ray_serve import TARGET_CONCURRENT, ReplicaCount, ray_serve_app
from tellapart.scale.replica import ReplicaConfig, Replicas
from tellapart.serving.admission import MIN_QUEUE
from tellapart.serving.server import open_listener, serve_service
from tellapart.serving.service import Service
from tellapart.serving.settings import Settings


def serve_on(
    target: str, bundle: Bundle | str | Path, count: ReplicaCount | None, *, host: str, port: int, settings: Settings
) -> None:
    """Serve a bundle at an address of this machine until Ctrl-C or SIGTERM, on the cluster `target` of `ray_cluster`.

    Without a `count` there are as many replicas as cores. Raises TellapartError.
    """
    bundle = Bundle.of(bundle)
    with open_listener(host, port) as listener:
        name = f"tellapart-{socket.gethostname()}-{listener.getsockname()[1]}"
        lasts = address_of(target) is not None
        with ray_cluster(target), replicated(bundle, count, settings, name=name, lasts=lasts) as service:
            serve_service(service, listener)


@contextmanager
def replicated(
    bundle: Bundle, count: ReplicaCount | None, settings: Settings, *, name: str, lasts: bool = True
) -> Iterator[Service]:
    """Yield a service whose backend is the replicas of a Ray Serve app, which ends with the block.

    A cluster must be joined; one that does not last beyond the command ends the app itself. An app of the same name is
    replaced: its owner was killed. Limits on concurrent images apply to each replica. Raises ClusterError.
    """
    ray = require("ray", extra="ray")
    count = _limited(ray, count)
    notify(
        f"starting {count.minimum} replicas of {bundle.name}"
        if count.minimum > 1
        else f"starting a replica of {bundle.name}"
    )
    prediction = ChunkPrediction.of(bundle, sha256(bundle.folder / MANIFEST), top=1)
    config = ReplicaConfig(prediction, replace(settings, token=None))  # only the front end checks it
    limits = replace(settings, queue=settings.queue * count.maximum)
    with ray_serve_app(name, config, count, lasts=lasts) as handle:
        work = Replicas(ray, handle, settings.deadline_s)
        # With slow images a shorter queue would never show that more replicas are needed.
        yield Service(bundle, limits, work, min_queue=max(MIN_QUEUE, (TARGET_CONCURRENT + 1) * count.maximum))


def _limited(ray: ModuleType, count: ReplicaCount | None) -> ReplicaCount:
    """Return the number of replicas. Those beyond the cores of the cluster would be waited for without end."""
    cores = int(ray.cluster_resources().get("CPU", 0))
    count = count or ReplicaCount(max(cores, 1), max(cores, 1))
    if count.minimum > cores:
        raise ClusterError(
            f"--replicas is {count.minimum} at least, with a core each, and the Ray cluster has {cores} cores: give a "
            f"smaller number, or add nodes"
        )
    if count.maximum > cores:
        notify(f"the Ray cluster has {cores} cores: there are at most {cores} replicas until it has more")
    return count
