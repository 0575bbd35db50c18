"""Open a source of labelled images: a folder, a table, a file of arrays or a built-in data set."""

import os
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from tellapart.data.dataset import Dataset, ReadOptions, Split
from tellapart.data.decoding.formats import other_format
from tellapart.data.read_image import web_address
from tellapart.data.sources.apply_skips import apply_skips
from tellapart.data.sources.arrays import npz_classes, read_idx_folder, read_npz
from tellapart.data.sources.builtin_datasets import BUILTIN_DATASETS, open_builtin
from tellapart.data.sources.class_names import parse_excluded, require_two_classes
from tellapart.data.sources.folder import read_folder
from tellapart.data.sources.hugging_face import hugging_face_table
from tellapart.data.sources.listing import is_image
from tellapart.data.sources.manifest import read_manifest
from tellapart.data.sources.named_files import read_named_files
from tellapart.data.sources.tables import TABLES, open_table
from tellapart.errors import DatasetError, did_you_mean

ARRAYS = (".npz",)
MAX_CLASSES = 100_000  # larger labels are probably not classes


def open_source(source: str, read_options: ReadOptions | None = None) -> Dataset:
    """Read a folder of class folders or of IDX files, tables, an `.npz` file or a built-in data set.

    Raises DatasetError.
    """
    read_options = read_options or ReadOptions()
    dataset = _open(source, read_options)
    return dataset if read_options.skip is None else apply_skips(dataset, read_options.skip)


def is_one_file(source: str) -> bool:
    """Return True if a source is a file with a whole data set, rather than one image."""
    return source.lower().endswith((*ARRAYS, *TABLES))


def _open(source: str, read_options: ReadOptions) -> Dataset:
    path = Path(source)
    if path.is_file() and path.suffix.lower() in TABLES:
        return read_manifest(open_table(path, read_options.encoding), read_options)
    if path.is_dir() and not read_options.label_from and (table := hugging_face_table(path, read_options)):
        return replace(read_manifest(table, read_options), name=path.resolve().name)
    if path.exists() or source in BUILTIN_DATASETS:
        _require_no_columns(source, read_options)
    if path.is_dir() and not any(path.glob("train-images-idx3-ubyte*")):
        if read_options.label_from:
            return read_named_files(path, read_options.label_from, read_options.exclude_label)
        return read_folder(path, read_options.exclude_label)
    if read_options.label_from and path.exists():
        raise DatasetError(
            f"--label-from finds labels in paths, but the images of {source} are in arrays: leave it out"
        )
    return _without_classes(_open_arrays(source), read_options.exclude_label)


def _require_no_columns(source: str, read_options: ReadOptions) -> None:
    for option in ("path_column", "label_column", "split_column", "group_column", "root", "encoding"):
        if value := getattr(read_options, option):
            raise DatasetError(
                f"--{option.replace('_', '-')} is {value}, but {source} is not a table ({', '.join(TABLES)}): it has "
                f"no columns. Leave the option out, or name the table"
            )


def _open_arrays(source: str) -> Dataset:
    path = Path(source)
    if path.is_dir():
        return _from_arrays(path.resolve().name, read_idx_folder(path), None)
    if path.is_file() and path.suffix.lower() in ARRAYS:
        return _from_arrays(path.stem, read_npz(path), npz_classes(path))
    if source in BUILTIN_DATASETS:
        return open_builtin(source)
    if path.is_file() and (is_image(source) or other_format(source)):
        raise DatasetError(_about_image(source))
    if path.exists():
        known = ", ".join((*TABLES, *ARRAYS))
        raise DatasetError(f"{source} is a file; expected a folder of class folders, or a file that ends in {known}")
    if address := web_address(source):
        raise DatasetError(f"{address} is a web address, and nothing is fetched: download the images, and name them")
    if is_one_file(source):
        raise DatasetError(f"there is no file {source}: check the path (now in {Path.cwd()})")
    if os.sep in source or source.startswith("."):
        raise DatasetError(f"there is no folder {source}: check the path (now in {Path.cwd()})")
    raise DatasetError(
        f"there is no folder {source}, and no data set of that name: {did_you_mean(source, BUILTIN_DATASETS)}"
    )


def _about_image(path: str) -> str:
    if other := other_format(path):
        return f"{path} {other.refusal}"
    return (
        f"{path} is one image, where labelled images are expected: name a folder with one folder of images per class. "
        f"To classify it: tellapart predict BUNDLE {shlex.quote(path)}"
    )


def _from_arrays(name: str, splits: Mapping[str, Split], classes: tuple[str, ...] | None) -> Dataset:
    count = 1 + max(int(split.labels.max(initial=0)) for split in splits.values())
    if classes is None and count > MAX_CLASSES:
        raise DatasetError(f"{name} has labels up to {count - 1:,}; expected classes numbered from 0 up, without gaps")
    classes = classes or tuple(str(label) for label in range(count))
    if len(classes) < max(count, 2):
        raise DatasetError(f"{name} has {len(classes)} class names for labels up to {count - 1}; expected at least 2")
    if len(set(classes)) < len(classes):
        raise DatasetError(f"{name} has class names that are not distinct: {', '.join(classes)}. Name each once")
    return Dataset(name=name, classes=classes, splits=splits)


def _without_classes(dataset: Dataset, exclude: Sequence[str]) -> Dataset:
    leave_out = parse_excluded(exclude, dataset.classes, dataset.name)
    if not leave_out:
        return dataset
    classes = tuple(name for name in dataset.classes if name not in leave_out)
    require_two_classes(classes, dataset.name, "Exclude fewer")
    numbers = np.array([classes.index(name) if name in classes else -1 for name in dataset.classes], dtype=np.int32)
    splits: dict[str, Split] = {}
    for name, split in dataset.splits.items():
        part = split.take(np.flatnonzero(numbers[split.labels] >= 0).tolist())
        splits[name] = replace(part, labels=numbers[part.labels])
    return replace(dataset, classes=classes, splits=splits)
