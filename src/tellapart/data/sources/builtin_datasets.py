"""Built-in data sets, opened by name.

They are searched for in `$TELLAPART_DATA/<name>`, in the folder of Debian's Fashion-MNIST package and in Keras's cache,
in this order; Keras downloads what is in none of them.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tellapart.backend import downloads_on_stderr, keras_home, load_keras
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
    """A built-in data set: its classes, and the function that reads it."""

    classes: tuple[str, ...]
    read: Callable[[str], Mapping[str, Split]]


def open_builtin(name: str) -> Dataset:
    """Read one of `BUILTIN_DATASETS`. Raises DatasetError that lists where it was searched for."""
    entry = BUILTIN_DATASETS[name]
    return Dataset(name=name, classes=entry.classes, splits=entry.read(name))


def is_available(name: str) -> bool:
    """Return True if a built-in data set can be opened without a download."""
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
    searched = []
    for folder in _folders(name):
        searched.append(str(folder))
        if (folder / "train-images-idx3-ubyte.gz").exists() or (folder / "train-images-idx3-ubyte").exists():
            return read_idx_folder(folder)
    for file in _npz_files(name):
        searched.append(str(file))
        if file.exists():
            return read_npz(file)
    return _download(name, searched)


def _folders(name: str) -> list[Path]:
    own = os.environ.get("TELLAPART_DATA")
    return [*([Path(own) / name] if own else []), DEBIAN / name, _keras_cache() / name]


def _npz_files(name: str) -> list[Path]:
    own = os.environ.get("TELLAPART_DATA")
    return [*([Path(own) / f"{name}.npz"] if own else []), _keras_cache() / f"{name}.npz"]


def _keras_cache() -> Path:
    return keras_home() / "datasets"


def _download(name: str, searched: list[str]) -> Mapping[str, Split]:
    load_keras()  # for the download alone: nothing else in `data` imports Keras
    module = require(f"keras.datasets.{name.replace('-', '_')}", extra="train")
    notify(f"{name} is not on this machine: Keras downloads it")
    try:
        with downloads_on_stderr():
            (train_x, train_y), (test_x, test_y) = module.load_data()
    except Exception as error:  # Keras raises a bare Exception when a download fails
        raise DatasetError(
            f"{name} was not found in {', '.join(searched)}, and could not be downloaded ({error}). Put it into "
            f"one of these places, or set TELLAPART_DATA to the folder that has {name}/"
        ) from error
    return {"train": array_split(train_x, train_y), "test": array_split(test_x, test_y)}


BUILTIN_DATASETS: Mapping[str, BuiltinDataset] = {
    "digits": BuiltinDataset(DIGITS, _digits),
    "mnist": BuiltinDataset(DIGITS, _downloadable),
    "fashion-mnist": BuiltinDataset(CLOTHES, _downloadable),
    "cifar10": BuiltinDataset(CIFAR10, _downloadable),
}
