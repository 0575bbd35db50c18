"""Where the jobs of a command are done: `--on` and `--workers`, the same for every command that has them."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from typing import TypeVar

from tellapart.errors import ClusterError
from tellapart.jobs import Jobs, Work
from tellapart.scale.cluster import address_of
from tellapart.scale.cluster import on as cluster

In = TypeVar("In")
Out = TypeVar("Out")


def jobs_on(place: str | None, workers: int | None) -> AbstractContextManager[Jobs | None]:
    """The workers of a cluster for as long as the block lasts; None for this process. Raises ClusterError.

    The cluster is joined when there is a first job, which no bar may be shown around: what is refused or finished
    already does not wait for it.
    """
    if place is not None:
        address_of(place)
        return _later(place, workers)
    if workers is not None:
        raise ClusterError("--workers is about a cluster, which is not named: add --on ray, or leave --workers out")
    return nullcontext()


@contextmanager
def _later(place: str, workers: int | None) -> Iterator[Jobs]:
    with ExitStack() as stack:
        yield _Later(place, workers, stack)


@dataclass
class _Later:
    """The workers of a cluster that is joined when they are asked for. Lives until `stack` is closed."""

    place: str
    count: int | None
    stack: ExitStack
    joined: Jobs | None = None

    def run(self, begin: Callable[[], Callable[[In], Out]], items: Iterable[In]) -> Iterator[Out]:
        """See Jobs."""
        return self._jobs().run(begin, items)

    def workers(self, begin: Callable[[], Callable[[In], Out]]) -> AbstractContextManager[Work[In, Out]]:
        """See Jobs."""
        return self._jobs().workers(begin)

    def _jobs(self) -> Jobs:
        if self.joined is None:
            self.joined = self.stack.enter_context(cluster(self.place, self.count))
        return self.joined
