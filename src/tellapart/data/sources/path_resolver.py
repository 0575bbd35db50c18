"""From what a table calls an image to the file that is meant."""

import os
import unicodedata
from collections.abc import Iterable, Mapping

from tellapart.data.sources.listing import images_under, is_folder, is_image, visible_entries
from tellapart.errors import DatasetError

Named = Mapping[str, list[str]]
"""Paths by the name of the file without its suffix."""


class PathResolver:
    """Finds files from a table's folder; it lists each folder once, and only those where a name is no path."""

    def __init__(self, folder: str, table: str) -> None:
        self._folder = folder
        self._table = table
        self._listed: dict[str, Named] = {}
        self._below: Named | None = None

    def beside(self, name: str) -> str | None:
        """The file that a name leads to from the table's folder, where it may lack its suffix.

        Raises DatasetError when it may mean two.
        """
        for spelled in _spellings(name):
            path = os.path.join(self._folder, spelled)  # noqa: PTH118  100,000 Path objects would cost 50 MB
            if os.path.lexists(path) and not is_folder(path):
                return path
        parent, last = os.path.split(path)
        return self._only(name, _meant(last, self._in(parent)))

    def below(self, name: str) -> str | None:
        """The one image anywhere below the table's folder whose path ends so. Raises DatasetError when two do."""
        if self._below is None:
            self._below = _by_name(images_under(self._folder))
        *_, spelled = _spellings(name)
        return self._only(name, _meant(os.path.normpath(spelled), self._below))

    def _in(self, folder: str) -> Named:
        if folder not in self._listed:
            there = visible_entries(folder) if is_folder(folder) else []
            self._listed[folder] = _by_name(entry.path for entry in there if is_image(entry.name))
        return self._listed[folder]

    def _only(self, name: str, paths: list[str]) -> str | None:
        if len(paths) > 1:
            raise DatasetError(
                f"{self._table} names {name!r}, which may be {paths[0]} or {paths[1]}: write more of the path, and "
                f"the suffix"
            )
        return paths[0] if paths else None


def _spellings(name: str) -> Iterable[str]:
    """As it stands; without white space at its ends; and as it would be written here if it comes from Windows."""
    return dict.fromkeys((name, name.strip(), name.strip().replace("\\", "/")))


def _by_name(paths: Iterable[str]) -> Named:
    found: dict[str, list[str]] = {}
    for path in paths:
        found.setdefault(_composed(os.path.splitext(os.path.basename(path))[0]), []).append(path)  # noqa: PTH119, PTH122
    return found


def _meant(name: str, known: Named) -> list[str]:
    """The paths that end in a name, or where none does in that name and a suffix."""
    wanted = "/" + _composed(name)
    last = wanted.rpartition("/")[2]
    candidates = [path for stem in {last, last.rpartition(".")[0]} for path in known.get(stem, ())]
    whole = [path for path in candidates if _composed(f"/{path}").endswith(wanted)]
    return whole or [path for path in candidates if _composed(f"/{path}").rpartition(".")[0].endswith(wanted)]


def _composed(name: str) -> str:
    """In Unicode's composed form, since macOS writes names in the other."""
    return unicodedata.normalize("NFC", name)
