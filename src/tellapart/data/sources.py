"""From what a person names (a folder, a file, a known set) to a Dataset."""

import hashlib
import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from tellapart.data.arrays import npz_classes, read_idx_folder, read_npz
from tellapart.data.dataset import Dataset, FilePictures, Skipped, Split, read_bytes
from tellapart.data.listing import pictures_under, visible
from tellapart.data.named import NAMED, open_named
from tellapart.data.picture import SUFFIXES
from tellapart.errors import DatasetError, PictureError, nearest
from tellapart.progress import progress

SPLIT_FOLDERS = {
    "train": "train", "training": "train",
    "validation": "validation", "valid": "validation", "val": "validation", "dev": "validation",
    "test": "test", "testing": "test",
}  # fmt: skip
MOST_CLASSES = 100_000  # labels beyond are numbers of something else
HASHING_THREADS = 8  # hashing waits for the disk more than for the CPU


def open_source(source: str) -> Dataset:
    """Read a folder of class folders, a folder of IDX files, an `.npz` file or a named set.

    Raises DatasetError that says what was found and what to do.
    """
    path = Path(source)
    if path.is_dir():
        if any(path.glob("train-images-idx3-ubyte*")):
            return _of_arrays(path.resolve().name, read_idx_folder(path), None)
        return _read_folder(path)
    if path.is_file() and path.suffix.lower() == ".npz":
        return _of_arrays(path.stem, read_npz(path), npz_classes(path))
    if source in NAMED:
        return open_named(source)
    if path.exists():
        raise DatasetError(f"{source} is a file; expected a folder of class folders or an .npz file")
    if os.sep in source or source.startswith("."):
        raise DatasetError(f"there is no folder {source}: check the path (now in {Path.cwd()})")
    raise DatasetError(f"there is no folder {source}, and no data set of that name: {nearest(source, NAMED)}")


def _of_arrays(name: str, splits: Mapping[str, Split], classes: tuple[str, ...] | None) -> Dataset:
    count = 1 + max(int(split.labels.max(initial=0)) for split in splits.values())
    if classes is None and count > MOST_CLASSES:
        raise DatasetError(f"{name} has labels up to {count - 1:,}; expected classes numbered from 0 up, without gaps")
    classes = classes or tuple(str(label) for label in range(count))
    if len(classes) < max(count, 2):
        raise DatasetError(f"{name} has {len(classes)} class names for labels up to {count - 1}; expected at least 2")
    if len(set(classes)) < len(classes):
        raise DatasetError(f"{name} has class names that are not distinct: {', '.join(classes)}. Name each once")
    return Dataset(name=name, classes=classes, splits=splits)


def _read_folder(root: Path) -> Dataset:
    parts = _parts(root)
    if not parts:
        raise DatasetError(_nothing_in(root))
    classes = _classes(root, parts)
    listed = {split: _listed(folder, classes) for split, folder in parts.items()}
    _require_pictures(root, classes, listed)
    skipped: list[Skipped] = []
    splits: dict[str, Split] = {}
    with progress("reading", sum(len(labels) for _, labels in listed.values()), "files") as advance:
        for name, (paths, labels) in listed.items():
            splits[name], unread = _hashed(paths, labels, advance)
            skipped += unread
    return Dataset(root.resolve().name, classes, splits, tuple(skipped))


def _parts(root: Path) -> dict[str, Path]:
    """Find the folder of each split; all of `root` where it has none, since a class may be called test or train."""
    folders = _folders(root)
    named = [(SPLIT_FOLDERS[f.name.lower()], f) for f in folders if f.name.lower() in SPLIT_FOLDERS]
    parts = dict(named)
    divided = "train" in parts and any(_folders(parts["train"]))
    if len(named) < len(folders) and not divided:
        return {"all": root}
    if len(parts) < len(named):
        raise DatasetError(
            f"{root} has {', '.join(f.name for _, f in named)}, of which some mean the same split; expected one "
            f"folder each for train, validation and test"
        )
    return {split: parts[split] for split in ("train", "validation", "test") if split in parts}


def _folders(folder: Path) -> list[Path]:
    return [Path(entry.path) for entry in visible(str(folder)) if entry.is_dir()]


def _classes(root: Path, parts: Mapping[str, Path]) -> tuple[str, ...]:
    classes = sorted({folder.name for part in parts.values() for folder in _folders(part)})
    if not classes:
        raise DatasetError(_nothing_in(root))
    if odd := [name for name in classes if not name.isprintable()]:
        raise DatasetError(
            f"class folder {odd[0]!r} of {root} has a name that cannot be printed (not UTF-8?): rename the folder"
        )
    if len(classes) == 1:
        raise DatasetError(
            f"{root} has one class folder, {classes[0]!r}: telling apart needs at least two. Give each class a "
            f"folder of its own"
        )
    return tuple(classes)


Listed = tuple[list[str], list[int]]


def _listed(part: Path, classes: tuple[str, ...]) -> Listed:
    """The picture files of one split, class by class, in the order of their names, and their labels."""
    paths: list[str] = []
    labels: list[int] = []
    for label, name in enumerate(classes):
        here = list(pictures_under(str(part / name))) if (part / name).is_dir() else []
        paths += here
        labels += [label] * len(here)
    return paths, labels


def _require_pictures(root: Path, classes: tuple[str, ...], listed: Mapping[str, Listed]) -> None:
    found = {label for _, labels in listed.values() for label in labels}
    if not found:
        raise DatasetError(_nothing_in(root))
    empty = [name for label, name in enumerate(classes) if label not in found]
    if empty:
        raise DatasetError(
            f"class folder {empty[0]!r} of {root} has no picture ({', '.join(SUFFIXES)}): add some, or remove it"
        )


def _nothing_in(root: Path) -> str:
    loose = sum(1 for f in root.iterdir() if f.suffix.lower() in SUFFIXES)
    found = f"{loose} pictures directly in {root}" if loose else f"no pictures in {root}"
    return f"found {found}; expected one folder per class with its pictures in it, such as {root}/cat/1.jpg"


def _hashed(paths: list[str], labels: list[int], advance: Callable[[int], None]) -> tuple[Split, list[Skipped]]:
    """Hash every file; leave out those that cannot be read."""
    good: list[int] = []
    digests: list[str] = []
    skipped: list[Skipped] = []
    with ThreadPoolExecutor(HASHING_THREADS) as pool:
        for index, result in enumerate(pool.map(_digest, paths)):
            advance(1)
            if isinstance(result, PictureError):
                skipped.append(Skipped(paths[index], str(result)))
            else:
                good.append(index)
                digests.append(result)
    pictures = FilePictures(tuple(paths[i] for i in good), tuple(digests))
    return Split(pictures, np.array([labels[i] for i in good], dtype=np.int32)), skipped


def _digest(path: str) -> str | PictureError:
    try:
        return hashlib.sha256(read_bytes(path)).hexdigest()
    except PictureError as error:
        return error
