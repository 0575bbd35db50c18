"""What whoever runs the service may choose, checked once."""

from dataclasses import dataclass, field

from tellapart.data.image import LIMITS
from tellapart.errors import TellapartError
from tellapart.jobs import cores

MOST_WORKERS = 4  # unless more are asked for: these decode faster than one engine answers


def usual_workers() -> int:
    """Decoding processes unless stated: one for each core, up to `MOST_WORKERS`."""
    return min(cores(), MOST_WORKERS)


@dataclass(frozen=True)
class Settings:
    """Limits and guards of the service. Raises TellapartError for one that makes no sense."""

    queue: int = 64
    """Images that may be under way at once, waiting ones included; a request beyond is refused at once."""
    deadline_s: float = 5.0
    """How long a request may wait for its answer, and how long its body may keep us waiting."""
    max_body_bytes: int = 10_000_000
    max_pixels: int = LIMITS.pixels
    workers: int | None = None
    """Processes that decode; None takes `usual_workers()`."""
    token: str | None = field(default=None, repr=False)
    """What a caller must send as `Authorization: Bearer`; None lets everyone in."""
    hosts: tuple[str, ...] = ()
    """Names by which the service may be called, besides localhost and addresses in numbers."""

    def __post_init__(self) -> None:
        wrong = {
            "queue": (self.queue, self.queue >= 1, "1 image or more"),
            "deadline": (self.deadline_s, 0 < self.deadline_s <= 3600, "seconds, above 0 and up to 3600"),
            "max-body": (self.max_body_bytes, 1 <= self.max_body_bytes <= 2**31, "1 byte to 2 GB"),
            "max-pixels": (self.max_pixels, 1 <= self.max_pixels <= 2**31, "1 to 2e9 pixels"),
            "workers": (self.workers, self.workers is None or self.workers >= 1, "1 process or more"),
        }
        for name, (found, right, expected) in wrong.items():
            if not right:
                raise TellapartError(f"--{name} is {found}, expected {expected}: choose another")
