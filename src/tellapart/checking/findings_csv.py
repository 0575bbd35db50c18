"""Keep a table of findings without losing one in which a person has marked images."""

from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path

from tellapart.checking.finding import Finding
from tellapart.checking.table import text
from tellapart.errors import StorageError
from tellapart.files import atomic_write


def keep(findings: Sequence[Finding], path: Path) -> Path | None:
    """Write the table of findings, and give its path; None where no finding concerns an image.

    What is at `path` already stays: where it says the same it is the table, else the table becomes the first of
    `findings-2.csv`, `findings-3.csv` and so on that is free or says the same. Raises StorageError.
    """
    if not any(finding.rows for finding in findings):
        return None
    content = text(findings).encode(errors="surrogateescape")
    free = next(place for place in _numbered(path) if not place.exists() or _content(place) == content)
    if not free.exists():
        atomic_write(free, content)
    return free


def _numbered(path: Path) -> Iterator[Path]:
    yield path
    for number in count(2):
        yield path.with_stem(f"{path.stem}-{number}")


def _content(path: Path) -> bytes | None:
    """What a file holds; None for a folder, which holds nothing of ours."""
    if path.is_dir():
        return None
    try:
        return path.read_bytes()
    except OSError as error:
        raise StorageError(f"{path} is there and cannot be read: {error.strerror or error}. Name another") from error
