"""Read images from arrays: IDX files, plain or gzipped, and `.npz` files."""

import gzip
import hashlib
import math
import struct
import zipfile
import zlib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.data.dataset import Split
from tellapart.data.images import ArrayImages
from tellapart.errors import DatasetError
from tellapart.files import UNREADABLE
from tellapart.read_files import ContentError, open_regular, read_array_header
from tellapart.text import joined
from tellapart.worker_process import machine_memory

UNSIGNED_BYTE = 0x08  # IDX type code. Source: the format's description on the MNIST page by Y. LeCun
IDX_DIMENSIONS = range(1, 5)  # labels have 1, grey images 3, colour images 4
MAX_LABEL = np.iinfo(np.int32).max
USUAL_MEMORY = 16_000_000_000  # bytes, where the system does not say how many there are
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
        with open_regular(path) as file, gzip.open(file) if path.suffix == ".gz" else file as stream:
            head = stream.read(4)
            zeros, type_code, dimensions = struct.unpack(">HBB", head) if len(head) == 4 else (1, 0, 0)
            sizes = stream.read(4 * dimensions)
            if zeros or type_code != UNSIGNED_BYTE or dimensions not in IDX_DIMENSIONS or len(sizes) < 4 * dimensions:
                raise DatasetError(f"{path} is not an IDX file of unsigned bytes: it begins {head.hex()!r}")
            shape = struct.unpack(f">{dimensions}I", sizes)
            require_memory(math.prod(shape), f"the array of {path}")
            content = stream.read(math.prod(shape) + 1)  # no more, however much is compressed behind it
    except (OSError, EOFError, ContentError, zlib.error) as error:
        raise DatasetError(f"{path} cannot be read: {error}. Fetch it again") from error
    if len(content) != math.prod(shape):
        have = f"{len(content):,}" if len(content) < math.prod(shape) else f"more than {math.prod(shape):,}"
        raise DatasetError(f"{path} has {have} values, its header says {shape}. Fetch it again")
    return np.frombuffer(content, np.uint8).reshape(shape)


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


KNOWN = {"x", "y", "classes", *(name for names in KEYS.values() for name in names)}
"""The arrays of an `.npz` file that are read; others are not unpacked."""


def read_npz(path: Path) -> Mapping[str, Split]:
    """Read `x_train`, `y_train`, `x_test`, `y_test` (and `..._validation`), or `x` and `y`. Raises DatasetError."""
    names, arrays = _npz_arrays(path, KNOWN - {"classes"})
    if {"x", "y"} <= arrays.keys():
        return {"all": array_split(arrays["x"], arrays["y"])}
    present = {split: keys for split, keys in KEYS.items() if set(keys) <= arrays.keys()}
    if "train" not in present:
        contents = joined(names, 8) if names else "nothing"
        raise DatasetError(f"{path} contains {contents}; expected x and y, or x_train, y_train, x_test, y_test")
    return {split: array_split(arrays[x], arrays[y]) for split, (x, y) in present.items()}


def npz_classes(path: Path) -> tuple[str, ...] | None:
    """Read the class names in an `.npz` file's `classes`, if any."""
    _, arrays = _npz_arrays(path, {"classes"})
    return tuple(str(name) for name in arrays["classes"].reshape(-1)) if "classes" in arrays else None


def _npz_arrays(path: Path, wanted: Collection[str]) -> tuple[list[str], dict[str, NDArray[Any]]]:
    """List the arrays of a file, and read those that are wanted, once it is known that they fit in memory."""
    try:
        with open_regular(path) as stream:  # opened here: NumPy does not close the file of a damaged archive
            archive = np.load(stream, allow_pickle=False)
            if not isinstance(archive, np.lib.npyio.NpzFile):
                raise DatasetError(f"{path} is one array (npy), not several (npz): store the labels with the images")
            if archive.zip is None:  # closed, which an archive just opened is not
                raise ValueError("the archive is closed")
            listed = [member.removesuffix(".npy") for member in archive.zip.namelist() if member.endswith(".npy")]
            names = [name for name in listed if name in wanted]
            require_memory(sum(_unpacked_size(archive.zip, name) for name in names), f"the arrays of {path}")
            return listed, {name: archive[name] for name in names}
    except UNREADABLE as error:
        raise DatasetError(f"{path} cannot be read as npz: {error}") from error


def _unpacked_size(archive: zipfile.ZipFile, name: str) -> int:
    """Return the bytes of an array as its header and its archive say, unpacking no more than the header.

    Raises ValueError if they disagree.
    """
    size = archive.getinfo(f"{name}.npy").file_size  # zipfile unpacks no more than that
    with archive.open(f"{name}.npy") as stream:
        shape, dtype = read_array_header(stream)
        if not dtype.hasobject and stream.tell() + math.prod(shape) * dtype.itemsize != size:
            raise ValueError(f"{name} is {shape} of {dtype} by its header, but has {size:,} bytes")
    return size


def require_memory(size: int, what: str) -> None:
    """Refuse arrays that need more memory than this machine has. Raises DatasetError."""
    if size > (limit := machine_memory() or USUAL_MEMORY):
        raise DatasetError(
            f"{what} would take {size / 1e9:,.1f} GB of memory, of which there are {limit / 1e9:,.1f} GB: store the "
            f"images as files in class folders, which are read one at a time"
        )
