"""`--on` and `--workers`: the cluster that does a command's jobs; and what is printed when a command is stopped."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from typing import TypeVar

from tellapart.errors import ClusterError
from tellapart.jobs import Jobs, Work
from tellapart.scale.cluster import address_of, ray_cluster

In = TypeVar("In")
Out = TypeVar("Out")


@contextmanager
def resumable(kept: str) -> Iterator[None]:
    """Let Ctrl-C in this block report what is kept, and that the same command resumes."""
    try:
        yield
    except KeyboardInterrupt as error:
        raise KeyboardInterrupt(f"{kept}: the same command resumes") from error


def jobs_on(address: str | None, workers: int | None) -> AbstractContextManager[Jobs | None]:
    """Give a cluster's workers for as long as the block lasts, or None for this process. Raises ClusterError.

    The cluster is joined with the first job: what is refused, or finished already, does not wait for it.
    """
    if address is not None:
        address_of(address)
        return _lazy(address, workers)
    if workers is not None:
        raise ClusterError("--workers is about a cluster, which is not named: add --on ray, or leave --workers out")
    return nullcontext()


@contextmanager
def _lazy(address: str, workers: int | None) -> Iterator[Jobs]:
    with ExitStack() as stack:
        yield _LazyCluster(address, workers, stack)


@dataclass
class _LazyCluster:
    """A cluster's workers, joined on first use and left when `stack` closes."""

    address: str
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
            self.joined = self.stack.enter_context(ray_cluster(self.address, self.count))
        return self.joined
