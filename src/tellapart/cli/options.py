"""Options that several commands share, and the groups in which `--help` lists options."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Annotated, TypeVar

from cyclopts import Group, Parameter, Token

from tellapart.data.dataset import ReadOptions
from tellapart.data.image_size import Size, parse_size
from tellapart.errors import ClusterError, SettingsError
from tellapart.jobs import Jobs, Work
from tellapart.scale.cluster import address_of, ray_cluster

COMMON = Group("Common options", sort_key=1)
OPTIONS = Group("Options", sort_key=2)
"""Those of a command without other groups."""
DATA = Group("Data", sort_key=3)
MODEL = Group("Model", sort_key=4)
TRAINING = Group("Training", sort_key=5)
FINE_TUNING = Group("Fine-tuning", sort_key=6)
BUDGET = Group("Budget", sort_key=7)
CLUSTER = Group("Cluster", sort_key=8)
OUTPUT = Group("Output", sort_key=9)


def _size(_: object, tokens: Sequence[Token]) -> Size:
    return parse_size(tokens[0].value)


SIZE = Parameter(converter=_size)
SizeOption = Annotated[Size | None, SIZE]
"""A size in pixels: one number for both sides, or height x width such as 64x256."""
ReadAs = Annotated[ReadOptions, Parameter(name="*", group=DATA)]
READ_DEFAULTS = ReadOptions()
On = Annotated[
    str | None,
    Parameter(
        group=CLUSTER,
        help="Run on a Ray cluster: ray starts or joins one, ray://HOST:PORT names one. The result is the same.",
    ),
]
Workers = Annotated[
    int | None, Parameter(group=CLUSTER, help="With --on: how many of the cluster's cores to use; all by default.")
]
Json = Annotated[
    bool,
    Parameter(
        name="--json",
        group=OUTPUT,
        help="Print one JSON object instead of text; docs/json.md lists its fields.",
    ),
]


def require_positive(option: str, value: int) -> None:
    """Refuse a number below 1. Raises SettingsError."""
    if value < 1:
        raise SettingsError(f"{option} is {value}; expected 1 or more")


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
