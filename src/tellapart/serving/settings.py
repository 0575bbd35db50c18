"""Settings of the service, validated once."""

import re
from dataclasses import dataclass, field

from tellapart.data.decoding.decode_limits import SERVICE_PIXELS
from tellapart.errors import TellapartError
from tellapart.jobs import cores
from tellapart.serving.request_log import LogFormat

ORIGIN = re.compile(r"https?://[a-z0-9.-]+(:[0-9]{1,5})?|https?://\[[0-9a-f:]+\](:[0-9]{1,5})?")  # as browsers send it
MAX_DEFAULT_WORKERS = 4  # these decode faster than one engine predicts


def default_workers() -> int:
    """Return the default number of decoding processes: one per core, up to `MAX_DEFAULT_WORKERS`."""
    return min(cores(), MAX_DEFAULT_WORKERS)


@dataclass(frozen=True)
class Settings:
    """Limits and access rules of the service. Raises TellapartError for a value out of range."""

    queue: int = 64
    """Images in flight, including those waiting; a request beyond is rejected immediately."""
    deadline_s: float = 5.0
    """Seconds in which a request is answered, and in which its body has to arrive."""
    max_body_bytes: int = 10_000_000
    max_pixels: int = SERVICE_PIXELS
    workers: int | None = None
    """Decoding processes; None uses `default_workers()`."""
    token: str | None = field(default=None, repr=False)
    """The token that callers send as `Authorization: Bearer`; None allows everyone."""
    hosts: tuple[str, ...] = ()
    """Host names under which the service answers, besides localhost and IP addresses."""

    origins: tuple[str, ...] = ()
    """Origins of web pages elsewhere that may call the service, such as https://example.org; or `*` for all."""

    log_format: LogFormat = "none"
    """The form of the request log on standard output; a program that embeds the service keeps that for itself."""

    def __post_init__(self) -> None:
        rules = {
            "queue": (self.queue, self.queue >= 1, "1 image or more"),
            "deadline": (self.deadline_s, 0 < self.deadline_s <= 3600, "seconds, above 0 and up to 3600"),
            "max-body": (self.max_body_bytes, 1 <= self.max_body_bytes <= 2**31, "1 byte to 2 GB"),
            "max-pixels": (self.max_pixels, 1 <= self.max_pixels <= 2**31, "1 to 2e9 pixels"),
            "workers": (self.workers, self.workers is None or self.workers >= 1, "1 process or more"),
        }
        for option, (value, valid, expected) in rules.items():
            if not valid:
                raise TellapartError(f"--{option} is {value}, expected {expected}: choose another value")
        for origin in self.origins:
            if origin != "*" and not ORIGIN.fullmatch(origin):
                raise TellapartError(
                    f"--allow-origin is {origin!r}, expected a scheme and a host without a path, such as "
                    f"https://example.org or http://localhost:3000, or * for every page"
                )
