"""Parts of image containers: what their checks share."""

from collections.abc import Iterator

from tellapart.errors import ImageError

MAX_PARTS = 1_000  # of a header; photos have about 10; 50 MB of metadata in JPEG segments of 64 KB would be 800


def require_at_most(limit: int, what: str, count: int) -> None:
    """Raise ImageError if a file has more parts of a kind than any program writes."""
    if count > limit:
        raise ImageError(f"the file has more than {limit:,} {what}: no camera or program writes so many")


def boxes(content: bytes, at: int, end: int, wanted: bytes) -> Iterator[range]:
    """Yield the range of the contents of each box of a kind, between two offsets. Raises ImageError for too many."""
    count = 0
    while at + 8 < end:
        size, head = int.from_bytes(content[at : at + 4]), 8
        if size == 1:
            size, head = int.from_bytes(content[at + 8 : at + 16]), 16
        stop = end if size == 0 else min(at + size, end)
        if content[at + 4 : at + 8] == wanted:
            yield range(at + head, stop)
        at, count = max(stop, at + 8), count + 1
        require_at_most(MAX_PARTS, "boxes", count)
