"""`tellapart augment`."""

import hashlib
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from tellapart.cli.drawing import save_or_draw
from tellapart.cli.read_options import AS_IT_IS, ReadAs
from tellapart.data.augmentation.augmentation import Augmentation
from tellapart.data.augmentation.augmented import AugmentedImages
from tellapart.data.augmentation.mixing import mix
from tellapart.data.dataset import Dataset, FileImages, Images, read_bytes
from tellapart.data.grid import grid
from tellapart.data.preprocessing import Preprocessing
from tellapart.data.sources.open_source import is_one_file
from tellapart.data.sources.read_options import ReadOptions
from tellapart.errors import DatasetError

SIZE = 160  # pixels, where the images have no size of their own and none is asked for
LARGEST = 4096  # as in a recipe
Cell = TypeVar("Cell")


def augment(
    source: str,
    /,
    *,
    augment: str,
    reading: ReadAs = AS_IT_IS,
    count: int = 6,
    views: int = 7,
    size: int | None = None,
    seed: int = 0,
    save: Path | None = None,
) -> None:
    """Show images of a data set, each at the left of a row, with what an augmentation makes of it.

    Parameters
    ----------
    source
        A data set as for train, or one image file.
    augment
        What is done at random, as for train: flip or flip=vertical or flip=both; rotate=30 and shear=10 in
        degrees; shift=0.1 and crop=0.8 in shares of the side; zoom=0.1, brightness=0.2, contrast=0.2; erase=0.2 of
        the area; randaugment=2, or 2:5 for less strength; mixup=0.2; cutmix=1. With commas between.
    count
        How many images.
    views
        How many views of each.
    size
        Height and width in pixels at which it is done; as in training.
    seed
        Draws other views.
    save
        Write a PNG file.
    """
    asked = Augmentation.parse(augment)
    for name, value, low, high in (("count", count, 1, 100), ("views", views, 1, 100), ("seed", seed, 0, 2**31 - 1)):
        if not low <= value <= high:
            raise DatasetError(f"{name} is {value}; expected {low} to {high}")
    if size is not None and not 1 <= size <= LARGEST:
        raise DatasetError(f"size is {size}; expected 1 to {LARGEST} pixels")
    images, labels, own_size = _some(source, count, reading)
    side = size or own_size or SIZE
    preprocessing = Preprocessing(side, side, images.read(0).shape[2])
    originals = [preprocessing(images.read(index)) for index in range(len(images))]
    distorted = AugmentedImages(images, preprocessing, asked, views, seed)
    cells, captions = [originals], [labels]
    for view in range(views):
        column = [distorted.read(view * len(images) + row) for row in range(len(images))]
        mixed, shares = _mixed(np.stack(column), labels, asked, np.random.default_rng([seed, view]))
        cells.append(list(mixed))
        captions.append(shares)
    print(f"{str(asked) or 'nothing'}: images: {len(images)}, views of each: {views}, pixels: {side} x {side}")
    if save is None:
        print("save them as an image with --save FILE.png")
    save_or_draw(grid(_in_rows(cells), _in_rows(captions), columns=views + 1), save)


def _some(source: str, count: int, reading: ReadOptions) -> tuple[Images, list[str], int | None]:
    """Images from all over the training split, so that many classes are among them; names; their own size."""
    if Path(source).is_file() and not is_one_file(source):
        digest = hashlib.sha256(read_bytes(source)).hexdigest()
        return FileImages((source,), (digest,)), [Path(source).stem], None
    dataset = Dataset.open(source, reading)
    split = dataset.splits.get("train") or next(iter(dataset.splits.values()))
    some = np.linspace(0, len(split) - 1, min(count, len(split))).astype(int).tolist()
    return split.images.take(some), [dataset.classes[label] for label in split.labels[some]], dataset.own_size


def _mixed(
    images: NDArray[np.uint8], labels: list[str], asked: Augmentation, rng: np.random.Generator
) -> tuple[NDArray[np.uint8], list[str]]:
    """One view of each, mixed among themselves where that is asked for; and what to write under them."""
    if not asked.mixes:
        return images, [""] * len(labels)
    names = sorted(set(labels))
    targets = np.eye(len(names), dtype=np.float32)[[names.index(label) for label in labels]]
    mixed, shares = mix(images, targets, asked, rng)
    return mixed, [_shares(row.tolist(), names) for row in shares]


def _shares(shares: list[float], names: list[str]) -> str:
    """As in `70% cat, dog`: the rest is the other's."""
    most, *others = sorted((place for place, share in enumerate(shares) if share >= 0.005), key=lambda i: -shares[i])
    return ", ".join([f"{shares[most]:.0%} {names[most]}" if others else names[most], *(names[i] for i in others)])


def _in_rows(columns: list[list[Cell]]) -> list[Cell]:
    return [cell for row in zip(*columns, strict=True) for cell in row]
