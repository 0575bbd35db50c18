"""Group images by their folders; a group is never divided by a split."""

import os
from dataclasses import replace
from pathlib import Path

from tellapart.data.dataset import Dataset, Split
from tellapart.data.images import FileImages
from tellapart.errors import DatasetError


def group_by_folder(dataset: Dataset, depth: int) -> Dataset:
    """Group by the folders below the class folder, to a depth from 1: cat/monday/3.jpg is of the group cat/monday.

    An image in a shallower folder is a group of its own. Raises DatasetError.
    """
    if depth < 1:
        raise DatasetError(f"the depth of groups is {depth}; expected 1 or more folders below the class folder")
    if dataset.source is None or not Path(dataset.source).is_dir():
        raise DatasetError(
            f"{dataset.name} was not read from a folder of class folders: only these are grouped by depth"
        )
    above = 0 if "all" in dataset.splits else 1
    splits = {name: _grouped(split, dataset, depth, above) for name, split in dataset.splits.items()}
    if all(len(set(split.groups or ())) == len(split) for split in splits.values()):
        raise DatasetError(
            f"no two images of {dataset.name} are together in a folder {depth} below their class folder, so that "
            f"each would be a group of its own: choose another depth"
        )
    return replace(dataset, splits=splits)


def _grouped(split: Split, dataset: Dataset, depth: int, above: int) -> Split:
    if not isinstance(split.images, FileImages):
        raise DatasetError(f"the images of {dataset.name} are in arrays, not in folders: they have no groups by depth")
    start = os.path.join(str(Path(dataset.source or "")), "")  # noqa: PTH118
    parts = [Path(path.removeprefix(start)).parts[above:] for path in split.images.paths]
    return replace(split, groups=tuple("/".join(names[: depth + 1]) for names in parts))
