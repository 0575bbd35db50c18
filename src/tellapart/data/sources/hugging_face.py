"""Folders as Hugging Face's data sets are downloaded: Parquet shards, or images with a metadata file for each split.

Source of the names: "Structure your repository" and "Create an image dataset" in the documentation of `datasets`.
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path

from tellapart.data.dataset import ReadOptions
from tellapart.data.sources.folder import SPLIT_FOLDERS
from tellapart.data.sources.joined_tables import JoinedTables, Part
from tellapart.data.sources.listing import entries, is_folder_entry, is_hidden, is_image, subfolders
from tellapart.data.sources.table import Table
from tellapart.data.sources.tables import open_table
from tellapart.errors import DatasetError
from tellapart.progress import notify
from tellapart.text import counted, joined

SHARD = ".parquet"
METADATA = ("metadata.jsonl", "metadata.csv", "metadata.parquet")
PATH_COLUMN = "file_name"  # of a metadata file: begins at its folder
SPLIT_WORDS = {**SPLIT_FOLDERS, "eval": "test", "evaluation": "test"}
WORDS = re.compile(r"[a-z]+")
MAX_DEPTH = 3  # folders from the data set down to its shards: data/subset/train/0000.parquet
MAX_FOLDERS = 100  # that are looked into


def hugging_face_table(root: Path, read_options: ReadOptions) -> Table | None:
    """Open a folder's metadata files, or its Parquet shards, as one table; None where it has none.

    Folders of class folders, and those with images beside shards, have none. Raises DatasetError.
    """
    parts = _metadata(root, read_options) or _shards(root)
    return JoinedTables(root, tuple(parts), read_options.path_column or PATH_COLUMN) if parts else None


def _metadata(root: Path, read_options: ReadOptions) -> list[Part]:
    """Find metadata files in the folder and in those of its splits, unless class folders have the labels."""
    folders = {root: ""} | {root / name: split for name in _folders(root) if (split := SPLIT_FOLDERS.get(name.lower()))}
    files = {
        folder: existing[0] for folder in folders if (existing := [*filter(Path.is_file, _named_in(folder, METADATA))])
    }
    if not files or any(map(_has_class_folders, files)):
        return []
    return [
        Part(open_table(file, read_options.encoding), folders[folder], _prefix(folder, root))
        for folder, file in files.items()
    ]


def _named_in(folder: Path, names: tuple[str, ...]) -> Iterator[Path]:
    return (folder / name for name in names)


def _folders(root: Path) -> list[str]:
    return [entry.name for entry in entries(str(root)) if not is_hidden(entry.name) and is_folder_entry(entry)]


def _has_class_folders(folder: Path) -> bool:
    """Return True for a folder with several folders that are not splits, such as one for each class."""
    return len([name for name in subfolders(str(folder)) if name.lower() not in SPLIT_FOLDERS]) > 1


def _prefix(folder: Path, root: Path) -> str:
    return "" if folder == root else f"{folder.relative_to(root).as_posix()}/"


def _shards(root: Path) -> list[Part]:
    """Find the shards of one subset, with the split that the path of each names."""
    paths = _shard_paths(root)
    splits = {path: _split_of(os.path.relpath(path, root)) for path in paths}
    divided = any(splits.values())
    kept = {path: split for path, split in splits.items() if split or not divided}
    _require_one_subset(root, list(kept))
    if left := [Path(path).name for path in paths if path not in kept]:
        notify(f"{root}: {counted(len(left), 'Parquet file')} of no split, not read: {joined(left, 3)}")
    return [Part(open_table(Path(path)), split) for path, split in kept.items()]


def _shard_paths(root: Path) -> list[str]:
    """List the Parquet files of a folder and of those below; none where any of these has an image itself."""
    shards: list[str] = []
    folders = [(str(root), 0)]
    for folder, depth in folders:  # grows
        for entry in entries(folder):
            if is_hidden(entry.name):
                continue
            if is_folder_entry(entry):
                if depth < MAX_DEPTH and len(folders) < MAX_FOLDERS:
                    folders.append((entry.path, depth + 1))
            elif is_image(entry.name):
                return []
            elif entry.name.lower().endswith(SHARD):
                shards.append(entry.path)
    return shards


def _split_of(path: str) -> str:
    """Return the split that a path names, such as train of data/train-00000-of-00002.parquet; the file's name first."""
    for part in reversed(Path(path.lower().removesuffix(SHARD)).parts):
        if splits := [SPLIT_WORDS[word] for word in WORDS.findall(part) if word in SPLIT_WORDS]:
            return splits[0]
    return ""


def _require_one_subset(root: Path, paths: list[str]) -> None:
    """Refuse shards of several data sets, each in a folder of its own. Raises DatasetError."""
    subsets = sorted({str(_subset(Path(path).parent, root)) for path in paths})
    if len(subsets) > 1:
        raise DatasetError(
            f"{root} has Parquet files of several data sets, in {joined(subsets, 3)}: pass the folder of one"
        )


def _subset(folder: Path, root: Path) -> Path:
    return folder.parent if folder != root and _split_of(folder.name) else folder
