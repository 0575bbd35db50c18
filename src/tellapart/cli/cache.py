"""`tellapart cache`."""

from collections.abc import Sequence
from datetime import datetime

from tellapart.cache import CacheEntry, cache_entries, make_room, parse_size
from tellapart.cli.options import Json
from tellapart.cli.output import aligned, print_json
from tellapart.files import cache_folder
from tellapart.progress import notify
from tellapart.text import counted, joined, printable


def cache(*, limit: str | None = None, json: Json = False) -> None:
    """List what the cache holds, by data set and backbone; remove what was not used for longest.

    The cache has decoded images, features of frozen networks, their graphs, and facts of images. All of it is made
    again when it is needed, so removing it only costs time. Do not remove anything while a training runs.

        tellapart cache
        tellapart cache --limit 10GB

    Parameters
    ----------
    limit
        Remove the least recently used entries until the others fit into this size, such as 500MB or 10GB.
    """
    limit_bytes = None if limit is None else parse_size(limit)
    removed = () if limit_bytes is None else make_room(limit_bytes)
    entries = cache_entries()
    if json:
        print_json(
            {
                "cache": cache_folder(),
                "bytes": sum(entry.bytes for entry in entries),
                "entries": [_as_json(entry) for entry in entries],
                "removed": [_as_json(entry) for entry in removed],
            }
        )
        return
    print(aligned([["", "data set", "backbone", "size", "last used"], *map(_row, entries)]))
    print(f"\n{_total(entries)}: {cache_folder()}")
    if limit_bytes is not None:
        notify(f"removed {_total(removed)}")


def _row(entry: CacheEntry) -> list[str]:
    names = joined([printable(name) for name in entry.datasets]) if entry.datasets else "unknown"
    return [entry.kind, names, entry.backbone or "-", _size(entry.bytes), f"{_time(entry):%Y-%m-%d %H:%M}"]


def _time(entry: CacheEntry) -> datetime:
    return datetime.fromtimestamp(entry.used)


def _total(entries: Sequence[CacheEntry]) -> str:
    return f"{_size(sum(entry.bytes for entry in entries))} in {counted(len(entries), 'entry', 'entries')}"


def _size(count: int) -> str:
    return f"{count / 1e9:,.1f} GB" if count >= 1e9 else f"{count / 1e6:,.1f} MB"


def _as_json(entry: CacheEntry) -> dict[str, object]:
    return {
        "folder": entry.folder,
        "kind": entry.kind,
        "datasets": list(entry.datasets),
        "backbone": entry.backbone or None,
        "bytes": entry.bytes,
        "used": _time(entry).astimezone().isoformat(timespec="seconds"),
    }
