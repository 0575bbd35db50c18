"""Where the jobs of a command are done: `--on` and `--workers`, the same for every command that has them."""

from contextlib import AbstractContextManager, nullcontext

from tellapart.errors import ClusterError
from tellapart.jobs import Jobs
from tellapart.scale.cluster import on as cluster


def jobs_on(place: str | None, workers: int | None) -> AbstractContextManager[Jobs | None]:
    """The workers of a cluster for as long as the block lasts; None for this process. Raises ClusterError."""
    if place is not None:
        return cluster(place, workers)
    if workers is not None:
        raise ClusterError("--workers is about a cluster, which is not named: add --on ray, or leave --workers out")
    return nullcontext()
