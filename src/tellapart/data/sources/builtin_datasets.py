"""Data sets that go by a name: where they are looked for, and how they are read.

Looked for in `$TELLAPART_DATA/<name>`, then where Debian's package puts Fashion-MNIST, then in Keras's cache;
only when all of these lack it does Keras download it.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tellapart.backend import load_keras
from tellapart.data.dataset import Dataset, Split
from tellapart.data.sources.arrays import array_split, read_idx_folder, read_npz
from tellapart.errors import DatasetError, require
from tellapart.progress import notify

DIGITS = tuple(str(digit) for digit in range(10))
CLOTHES = (
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
)  # fmt: skip
DEBIAN = Path("/usr/share/datasets")
CIFAR10 = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


@dataclass(frozen=True)
class BuiltinDataset:
    """A data set with a name: its classes and how it is found."""

    classes: tuple[str, ...]
    read: Callable[[str], Mapping[str, Split]]


def open_builtin(name: str) -> Dataset:
    """Read one of `NAMED`. Raises DatasetError that says where it looked, when it is nowhere."""
    entry = BUILTIN_DATASETS[name]
    return Dataset(name=name, classes=entry.classes, splits=entry.read(name))


def is_available(name: str) -> bool:
    """Whether a named data set can be opened without a download."""
    if name == "digits":
        return True
    idx = ("train-images-idx3-ubyte.gz", "train-images-idx3-ubyte")
    folders = any((folder / file).exists() for folder in _folders(name) for file in idx)
    return folders or any(file.exists() for file in _npz_files(name))


def _digits(_: str) -> Mapping[str, Split]:
    datasets = require("sklearn.datasets", extra="train")
    bunch = datasets.load_digits()
    # scikit-learn stores 0 to 16; an image is 0 to 255
    images = np.round(bunch.images * (255 / 16)).astype(np.uint8)
    return {"all": array_split(images, bunch.target)}


def _downloadable(name: str) -> Mapping[str, Split]:
    looked = []
    for folder in _folders(name):
        looked.append(str(folder))
        if (folder / "train-images-idx3-ubyte.gz").exists() or (folder / "train-images-idx3-ubyte").exists():
            return read_idx_folder(folder)
    for file in _npz_files(name):
        looked.append(str(file))
        if file.exists():
            return read_npz(file)
    return _downloaded(name, looked)


def _folders(name: str) -> list[Path]:
    mine = os.environ.get("TELLAPART_DATA")
    return [*([Path(mine) / name] if mine else []), DEBIAN / name, _keras_cache() / name]


def _npz_files(name: str) -> list[Path]:
    mine = os.environ.get("TELLAPART_DATA")
    return [*([Path(mine) / f"{name}.npz"] if mine else []), _keras_cache() / f"{name}.npz"]


def _keras_cache() -> Path:
    return Path(os.environ.get("KERAS_HOME", Path.home() / ".keras")) / "datasets"


def _downloaded(name: str, looked: list[str]) -> Mapping[str, Split]:
    load_keras()  # only to download: nothing else in this package knows Keras
    module = require(f"keras.datasets.{name.replace('-', '_')}", extra="train")
    notify(f"{name} is not on this machine: Keras downloads it")
    try:
        (train_x, train_y), (test_x, test_y) = module.load_data()
    except Exception as error:  # Keras raises a bare Exception when a download fails
        raise DatasetError(
            f"{name} was not found in {', '.join(looked)}, and could not be downloaded ({error}). Put it into "
            f"one of these places, or set TELLAPART_DATA to the folder that has {name}/"
        ) from error
    return {"train": array_split(train_x, train_y), "test": array_split(test_x, test_y)}


BUILTIN_DATASETS: Mapping[str, BuiltinDataset] = {
    "digits": BuiltinDataset(DIGITS, _digits),
    "mnist": BuiltinDataset(DIGITS, _downloadable),
    "fashion-mnist": BuiltinDataset(CLOTHES, _downloadable),
    "cifar10": BuiltinDataset(CIFAR10, _downloadable),
}
