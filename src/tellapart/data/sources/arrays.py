"""Read images from arrays: IDX files, plain or gzipped, and `.npz` files."""

import gzip
import hashlib
import struct
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.data.dataset import Split
from tellapart.data.images import ArrayImages
from tellapart.errors import DatasetError
from tellapart.files import UNREADABLE

UNSIGNED_BYTE = 0x08  # IDX type code. Source: the format's description on the MNIST page by Y. LeCun
IDX_DIMENSIONS = range(1, 5)  # labels have 1, grey images 3, colour images 4
MAX_LABEL = np.iinfo(np.int32).max
PARTS = {"train": "train", "test": "t10k"}


def array_split(images: NDArray[Any], labels: NDArray[Any]) -> Split:
    """Make a split of images, uint8 (n, h, w) or (n, h, w, 1 or 3), and labels (n,). Raises DatasetError."""
    if images.ndim == 3:
        images = images[..., np.newaxis]
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[-1] not in (1, 3):
        raise DatasetError(
            f"the images are {images.dtype} {images.shape}; expected uint8 (n, height, width) or "
            f"(n, height, width, 1 or 3), values from 0 to 255"
        )
    labels = labels.reshape(-1)
    valid = labels.dtype.kind in "iu" and not ((labels < 0) | (labels > MAX_LABEL)).any()
    if len(labels) != len(images) or not valid:
        raise DatasetError(
            f"{len(images)} images have {len(labels)} labels of type {labels.dtype}; "
            f"expected for each the number of its class, from 0 up"
        )
    shape = str(images.shape[1:]).encode()
    digests = tuple(hashlib.sha256(shape + image.tobytes()).hexdigest() for image in images)
    return Split(ArrayImages(images, digests), labels.astype(np.int32))


def read_idx(path: Path) -> NDArray[np.uint8]:
    """Read an IDX file of unsigned bytes, plain or gzipped: uint8 of the shape it names. Raises DatasetError."""
    try:
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (OSError, EOFError, zlib.error) as error:
        raise DatasetError(f"{path} cannot be read: {error}. Fetch it again") from error
    zeros, type_code, dimensions = struct.unpack(">HBB", content[:4]) if len(content) >= 4 else (1, 0, 0)
    header = 4 + 4 * dimensions
    if zeros != 0 or type_code != UNSIGNED_BYTE or dimensions not in IDX_DIMENSIONS or len(content) < header:
        raise DatasetError(f"{path} is not an IDX file of unsigned bytes: it begins {content[:4].hex()!r}")
    shape = struct.unpack(f">{dimensions}I", content[4:header])
    if len(content) - header != np.prod(shape, dtype=object):
        raise DatasetError(f"{path} has {len(content) - header:,} values, its header says {shape}. Fetch it again")
    return np.frombuffer(content, np.uint8, offset=header).reshape(shape)


def read_idx_folder(folder: Path) -> Mapping[str, Split]:
    """Read the four files `train-` and `t10k-` `images-idx3` and `labels-idx1`. Raises DatasetError."""
    return {
        split: array_split(
            read_idx(_existing(folder, f"{part}-images-idx3-ubyte")),
            read_idx(_existing(folder, f"{part}-labels-idx1-ubyte")),
        )
        for split, part in PARTS.items()
    }


def _existing(folder: Path, name: str) -> Path:
    for path in (folder / f"{name}.gz", folder / name):
        if path.exists():
            return path
    raise DatasetError(f"{folder} has no {name} or {name}.gz: the four IDX files belong together")


KEYS = {
    "train": ("x_train", "y_train"),
    "validation": ("x_validation", "y_validation"),
    "test": ("x_test", "y_test"),
}


def read_npz(path: Path) -> Mapping[str, Split]:
    """Read `x_train`, `y_train`, `x_test`, `y_test` (and `..._validation`), or `x` and `y`. Raises DatasetError."""
    arrays = _npz_arrays(path)
    if {"x", "y"} <= arrays.keys():
        return {"all": array_split(arrays["x"], arrays["y"])}
    present = {split: keys for split, keys in KEYS.items() if set(keys) <= arrays.keys()}
    if "train" not in present:
        raise DatasetError(
            f"{path} contains {', '.join(arrays) or 'nothing'}; expected x and y, or x_train, y_train, x_test, y_test"
        )
    return {split: array_split(arrays[x], arrays[y]) for split, (x, y) in present.items()}


def npz_classes(path: Path) -> tuple[str, ...] | None:
    """Read the class names in an `.npz` file's `classes`, if any."""
    arrays = _npz_arrays(path, only="classes")
    return tuple(str(name) for name in arrays["classes"].reshape(-1)) if "classes" in arrays else None


def _npz_arrays(path: Path, only: str | None = None) -> dict[str, NDArray[Any]]:
    try:
        with path.open("rb") as stream:  # opened here: NumPy does not close the file of a damaged archive
            archive = np.load(stream, allow_pickle=False)
            if not isinstance(archive, np.lib.npyio.NpzFile):
                raise DatasetError(f"{path} is one array (npy), not several (npz): store the labels with the images")
            arrays = {name: archive[name] for name in archive.files if only in (None, name)}
    except UNREADABLE as error:
        raise DatasetError(f"{path} cannot be read as npz: {error}") from error
    return {name: array for name, array in arrays.items() if isinstance(array, np.ndarray)}
