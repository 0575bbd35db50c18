"""A bundle behind HTTP, answered for by replicas on a Ray cluster.

The service itself is this process, as it is without Ray: the page, the token, limits, refusals, draining and metrics
are the same code. Ray Serve starts the replicas, chooses one for each image, replaces and scales them. Its own HTTP
proxy is off: that one takes in a body of any size before anyone may refuse it.
"""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import ModuleType

from tellapart.bundles.batch.chunks import ChunkPrediction
from tellapart.bundles.bundle import MANIFEST, Bundle
from tellapart.errors import ClusterError, require
from tellapart.files import sha256
from tellapart.progress import notify
from tellapart.scale.cluster import address_of, on
from tellapart.scale.ray_serve import TARGET_CONCURRENT, ReplicaCount, ray_serve_app
from tellapart.scale.replica import ReplicaConfig, Replicas
from tellapart.serving.admission import SHORTEST_QUEUE
from tellapart.serving.server import attend, listening
from tellapart.serving.service import Service
from tellapart.serving.settings import Settings


def serve_on(
    place: str, bundle: Bundle | str | Path, count: ReplicaCount | None, *, host: str, port: int, settings: Settings
) -> None:
    """Serve a bundle at an address of this machine until Ctrl-C or SIGTERM; see `cluster.on` for the place.

    There are as many replicas as cores where no count is given. Raises TellapartError.
    """
    bundle = Bundle.of(bundle)
    with listening(host, port) as listener:
        name = f"tellapart-{socket.gethostname()}-{listener.getsockname()[1]}"
        lasts = address_of(place) is not None
        with on(place), replicated(bundle, count, settings, name=name, lasts=lasts) as service:
            attend(service, listener)


@contextmanager
def replicated(
    bundle: Bundle, count: ReplicaCount | None, settings: Settings, *, name: str, lasts: bool = True
) -> Iterator[Service]:
    """Give a service whose work is done by replicas of a Ray Serve app, which ends with the block.

    Needs a cluster that is joined; one that does not last ends the app with itself. An app of the same name is
    replaced: its owner was killed. Limits on images under way are for each replica. Raises ClusterError.
    """
    ray = require("ray", extra="ray")
    count = _settled(ray, count)
    notify(
        f"starting {count.fewest} replicas of {bundle.name}"
        if count.fewest > 1
        else f"starting a replica of {bundle.name}"
    )
    answering = ChunkPrediction.by(bundle, sha256(bundle.folder / MANIFEST), top=1)
    beginning = ReplicaConfig(answering, replace(settings, token=None))  # which is the front's alone
    limits = replace(settings, queue=settings.queue * count.most)
    with ray_serve_app(name, beginning, count, lasts=lasts) as handle:
        work = Replicas(ray, handle, settings.deadline_s)
        # Where each image takes long, too few would be let in for more replicas ever to seem needed.
        yield Service(bundle, limits, work, shortest=max(SHORTEST_QUEUE, (TARGET_CONCURRENT + 1) * count.most))


def _settled(ray: ModuleType, count: ReplicaCount | None) -> ReplicaCount:
    """How many there will be. More than there are cores would be waited for without end."""
    cores = int(ray.cluster_resources().get("CPU", 0))
    count = count or ReplicaCount(max(cores, 1), max(cores, 1))
    if count.fewest > cores:
        raise ClusterError(
            f"--replicas is {count.fewest} at least, with a core each, and the Ray cluster has {cores} cores: ask for "
            f"fewer, or add nodes"
        )
    if count.most > cores:
        notify(f"the Ray cluster has {cores} cores: there will be {cores} replicas at most until it has more")
    return count
