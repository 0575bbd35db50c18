"""Make splits of listed files, with the hash of each file's content."""

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
    """The files of one split: their paths, class indices and groups."""

    paths: list[str] = field(default_factory=list)
    labels: list[int] = field(default_factory=list)
    groups: list[str] | None = None


def hash_files(listed: Mapping[str, FileList]) -> tuple[dict[str, Split], tuple[Skipped, ...]]:
    """Hash every file. Returns the splits, and the files left out because they cannot be read."""
    paths = [path for part in listed.values() for path in part.paths]
    with progress("reading", len(paths), "files") as advance:
        digests = hash_all(paths, advance)
    skipped = tuple(
        Skipped(path, str(digest))
        for path, digest in zip(paths, digests, strict=True)
        if isinstance(digest, ImageError)
    )
    splits: dict[str, Split] = {}
    start = 0
    for name, part in listed.items():
        splits[name] = _make_split(part, digests[start : start + len(part.paths)])
        start += len(part.paths)
    return splits, skipped


def _make_split(part: FileList, digests: list[str | ImageError]) -> Split:
    readable = {index: digest for index, digest in enumerate(digests) if isinstance(digest, str)}
    images = FileImages(tuple(part.paths[i] for i in readable), tuple(readable.values()))
    groups = None if part.groups is None else tuple(part.groups[i] for i in readable)
    return Split(images, np.array([part.labels[i] for i in readable], dtype=np.int32), groups)
