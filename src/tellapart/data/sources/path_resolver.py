"""Resolve the image names in a table to files."""

import os
import unicodedata
from collections.abc import Iterable, Mapping

from tellapart.data.sources.listing import images_under, is_folder, is_image, visible_entries
from tellapart.errors import DatasetError

PathsByStem = Mapping[str, list[str]]
"""Paths by file name without suffix."""


class PathResolver:
    """Finds the files of a table. Each folder is listed at most once, and only for names that are not paths."""

    def __init__(self, folder: str, table: str, encoding: str | None = None) -> None:
        """Begin paths at `folder`; file names may also be bytes in the table's `encoding`, unless that is Unicode."""
        self._folder = folder
        self._table = table
        self._encoding = encoding
        self._dropped = 1
        self._listed: dict[str, PathsByStem] = {}
        self._below: PathsByStem | None = None

    def in_folder(self, name: str) -> str | None:
        """Find the file of a name relative to the table's folder; the name may lack the suffix.

        Raises DatasetError if two files match.
        """
        for spelled in self._spellings(name):
            path = os.path.join(self._folder, spelled)  # noqa: PTH118  100,000 Path objects would cost 50 MB
            if os.path.lexists(path) and not is_folder(path):
                return path
        parent, last = os.path.split(path)
        return self._only(name, _matches(last, self._in(parent)))

    def below(self, name: str) -> str | None:
        """Find the image below the table's folder whose path ends in a name. Raises DatasetError if two match."""
        if self._below is None:
            self._below = _by_stem(images_under(self._folder))
        *_, spelled = _spellings(name)
        return self._only(name, _matches(os.path.normpath(spelled), self._below))

    def from_elsewhere(self, name: str) -> str | None:
        """Find the file of a path from another machine: the longest end of it that leads to a file in the folder.

        Raises DatasetError if two files match.
        """
        *_, spelled = _spellings(name)
        parts = [part for part in spelled.split("/") if part not in ("", os.curdir)]
        if not parts or os.pardir in parts:
            return None
        # What was dropped from the path before comes first: all paths of a table mostly begin in one folder.
        for dropped in dict.fromkeys((min(self._dropped, len(parts) - 1), *range(len(parts)))):
            if path := self.in_folder("/".join(parts[dropped:])):
                self._dropped = dropped
                return path
        return None

    def _spellings(self, name: str) -> Iterable[str]:
        spellings = _spellings(name)
        if self._encoding is None or name.isascii():
            return spellings
        as_bytes = (spelled.encode(self._encoding, "surrogateescape") for spelled in spellings)
        return [*map(os.fsdecode, as_bytes), *spellings]

    def _in(self, folder: str) -> PathsByStem:
        if folder not in self._listed:
            visible = visible_entries(folder) if is_folder(folder) else []
            self._listed[folder] = _by_stem(entry.path for entry in visible if is_image(entry.name))
        return self._listed[folder]

    def _only(self, name: str, paths: list[str]) -> str | None:
        if len(paths) > 1:
            raise DatasetError(
                f"{self._table} names {name!r}, which may be {paths[0]} or {paths[1]}: write more of the path, and "
                f"the suffix"
            )
        return paths[0] if paths else None


def _spellings(name: str) -> Iterable[str]:
    """Return a name as it is, without white space at its ends, and with the slashes of Windows turned."""
    return dict.fromkeys((name, name.strip(), name.strip().replace("\\", "/")))


def _by_stem(paths: Iterable[str]) -> PathsByStem:
    paths_by_stem: dict[str, list[str]] = {}
    for path in paths:
        paths_by_stem.setdefault(_composed(os.path.splitext(os.path.basename(path))[0]), []).append(path)  # noqa: PTH119, PTH122
    return paths_by_stem


def _matches(name: str, known: PathsByStem) -> list[str]:
    """Return the paths that end in a name; else those with the extension in another case; else with any."""
    wanted = "/" + _composed(name)
    last = wanted.rpartition("/")[2]
    candidates = [path for stem in {last, last.rpartition(".")[0]} for path in known.get(stem, ())]
    spelled = {path: _composed(f"/{path}") for path in candidates}
    exact = [path for path in candidates if spelled[path].endswith(wanted)]
    other_case = [path for path in candidates if _lower_extension(spelled[path]).endswith(_lower_extension(wanted))]
    return exact or other_case or [path for path in candidates if spelled[path].rpartition(".")[0].endswith(wanted)]


def _lower_extension(path: str) -> str:
    stem, extension = os.path.splitext(path)  # noqa: PTH122
    return stem + extension.lower()


def _composed(name: str) -> str:
    """Convert to Unicode's composed form, since macOS stores names decomposed."""
    return unicodedata.normalize("NFC", name)
