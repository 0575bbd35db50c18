"""`tellapart augment`."""

import hashlib
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from tellapart.cli.drawing import save_or_draw
from tellapart.cli.options import READ_DEFAULTS, ReadAs, SizeOption
from tellapart.data.augmentation.augmentation import Augmentation
from tellapart.data.augmentation.augmented import AugmentedImages
from tellapart.data.augmentation.mixing import mix
from tellapart.data.dataset import Dataset, ReadOptions
from tellapart.data.image_grid import draw_grid
from tellapart.data.image_size import MAX_SIDE, checked_size, sides_of
from tellapart.data.images import FileImages, Images
from tellapart.data.preprocessing import Preprocessing
from tellapart.data.read_image import read_bytes
from tellapart.data.sources.open_source import is_one_file
from tellapart.errors import DatasetError

DEFAULT_SIZE = 160  # pixels, for images without a common size
Cell = TypeVar("Cell")


def augment(
    source: str,
    /,
    *,
    augment: str,
    read_options: ReadAs = READ_DEFAULTS,
    count: int = 6,
    views: int = 7,
    size: SizeOption = None,
    seed: int = 0,
    save: Path | None = None,
) -> None:
    """Preview what an augmentation does: images of a data set, each at the left of a row of its augmented views.

        tellapart augment photos --augment flip,rotate=20,zoom=0.1 --save views.png

    Parameters
    ----------
    source
        A data set as for train, or one image file.
    augment
        Random changes, as for train, separated by commas: flip, flip=vertical or flip=both; rotate=30 and shear=10
        (degrees); shift=0.1 and crop=0.8 (shares of the side); zoom=0.1, brightness=0.2, contrast=0.2; erase=0.2 (of
        the area); randaugment=2, or 2:5 for less strength; mixup=0.2; cutmix=1.
    count
        Number of images.
    views
        Number of views of each image.
    size
        Image height and width in pixels, or height x width such as 64x256, as in training.
    seed
        Another seed draws other views.
    save
        Write a PNG file instead of drawing in the terminal.
    """
    augmentation = Augmentation.parse(augment)
    for name, value, low, high in (("count", count, 1, 100), ("views", views, 1, 100), ("seed", seed, 0, 2**31 - 1)):
        if not low <= value <= high:
            raise DatasetError(f"{name} is {value}; expected {low} to {high}")
    if size is not None:
        size = checked_size(size, 1, MAX_SIDE)
    images, labels, own_size = _sample(source, count, read_options)
    height, width = sides_of(size or own_size or DEFAULT_SIZE)
    preprocessing = Preprocessing(height, width, images.read(0).shape[2])
    originals = [preprocessing(images.read(index)) for index in range(len(images))]
    augmented = AugmentedImages(images, preprocessing, augmentation, views, seed)
    cells, captions = [originals], [labels]
    for view in range(views):
        column = [augmented.read(view * len(images) + row) for row in range(len(images))]
        mixed, shares = _mixed(np.stack(column), labels, augmentation, np.random.default_rng([seed, view]))
        cells.append(list(mixed))
        captions.append(shares)
    pixels = f"{height} x {width}"
    print(f"{str(augmentation) or 'nothing'}: images: {len(images)}, views of each: {views}, pixels: {pixels}")
    if save is None:
        print("save them as an image with --save FILE.png")
    save_or_draw(draw_grid(_in_rows(cells), _in_rows(captions), columns=views + 1), save)


def _sample(source: str, count: int, read_options: ReadOptions) -> tuple[Images, list[str], int | None]:
    """Return images evenly spaced over the training split, so that many classes occur; labels; their own size."""
    if Path(source).is_file() and not is_one_file(source):
        digest = hashlib.sha256(read_bytes(source)).hexdigest()
        return FileImages((source,), (digest,)), [Path(source).stem], None
    dataset = Dataset.open(source, read_options)
    split = dataset.splits.get("train") or next(iter(dataset.splits.values()))
    indices = np.linspace(0, len(split) - 1, min(count, len(split))).astype(int).tolist()
    return split.images.take(indices), [dataset.classes[label] for label in split.labels[indices]], dataset.own_size


def _mixed(
    images: NDArray[np.uint8], labels: list[str], augmentation: Augmentation, rng: np.random.Generator
) -> tuple[NDArray[np.uint8], list[str]]:
    """Mix one view of each image with the others, if the augmentation does; return captions too."""
    if not augmentation.mixes:
        return images, [""] * len(labels)
    names = sorted(set(labels))
    targets = np.eye(len(names), dtype=np.float32)[[names.index(label) for label in labels]]
    mixed, shares = mix(images, targets, augmentation, rng)
    return mixed, [_shares(row.tolist(), names) for row in shares]


def _shares(shares: list[float], names: list[str]) -> str:
    """Return `70% cat, dog`: the rest is the other's."""
    first, *rest = sorted((i for i, share in enumerate(shares) if share >= 0.005), key=lambda i: -shares[i])
    return ", ".join([f"{shares[first]:.0%} {names[first]}" if rest else names[first], *(names[i] for i in rest)])


def _in_rows(columns: list[list[Cell]]) -> list[Cell]:
    return [cell for row in zip(*columns, strict=True) for cell in row]
