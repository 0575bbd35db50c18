"""Files that were listed become splits of images, each with the hash of its content."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from tellapart.data.dataset import Skipped, Split
from tellapart.data.images import FileImages
from tellapart.data.sources.hash_index import hash_all
from tellapart.errors import ImageError
from tellapart.progress import progress


@dataclass
class FileList:
    """Files of one split that are to be its images: their paths, the index of each one's class, and its group."""

    paths: list[str] = field(default_factory=list)
    labels: list[int] = field(default_factory=list)
    groups: list[str] | None = None


def hash_files(listed: Mapping[str, FileList]) -> tuple[dict[str, Split], tuple[Skipped, ...]]:
    """Hash every file. Returns the splits, and what is left out of them since it cannot be read."""
    paths = [path for part in listed.values() for path in part.paths]
    with progress("reading", len(paths), "files") as advance:
        found = hash_all(paths, advance)
    skipped = tuple(
        Skipped(path, str(what)) for path, what in zip(paths, found, strict=True) if isinstance(what, ImageError)
    )
    splits: dict[str, Split] = {}
    start = 0
    for name, part in listed.items():
        splits[name] = _split(part, found[start : start + len(part.paths)])
        start += len(part.paths)
    return splits, skipped


def _split(part: FileList, found: list[str | ImageError]) -> Split:
    good = {index: digest for index, digest in enumerate(found) if isinstance(digest, str)}
    images = FileImages(tuple(part.paths[i] for i in good), tuple(good.values()))
    groups = None if part.groups is None else tuple(part.groups[i] for i in good)
    return Split(images, np.array([part.labels[i] for i in good], dtype=np.int32), groups)
