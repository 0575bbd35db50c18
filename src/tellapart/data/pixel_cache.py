"""Cache of decoded images: resized once into a memory-mapped uint8 array that epochs read from."""

import hashlib
import json
import math
import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import numpy as np

from tellapart.cache import note_use
from tellapart.data.dataset import Skipped
from tellapart.data.images import ArrayImages, Images
from tellapart.data.pipeline import ReadableRows, preprocessed
from tellapart.data.preprocessing import DECODER, Preprocessing
from tellapart.errors import ImageError
from tellapart.files import cached_folder
from tellapart.progress import progress
from tellapart.read_files import map_array, read_json

PIXELS = "pixels.npy"
UNREADABLE = "unreadable.json"


def decoded_pixels(
    images: Images, preprocessing: Preprocessing, *, cache: Path, label: str, dataset: str | None = None
) -> ReadableRows:
    """Decode images to the classifier's size, or map the array that an earlier run has cached.

    The values are uint8 (n, height, width, channels), memory-mapped unless the images already are such an array.
    `dataset` is the name of their data set, for the list of what the cache holds.
    """
    shape = (preprocessing.height, preprocessing.width, preprocessing.channels)
    if isinstance(images, ArrayImages) and images.array.shape[1:] == shape:
        return ReadableRows(images.array, tuple(range(len(images))), ())
    folder = cache / "pixels" / _key(images, preprocessing)
    if folder.exists() and ((reasons := _reasons(folder)) is None or _is_outdated(images, reasons)):
        shutil.rmtree(folder, ignore_errors=True)
    if not folder.exists():
        _decode_all(images, preprocessing, folder, label)
    note_use(folder, dataset=dataset)
    reasons = _reasons(folder) or {}
    kept = tuple(i for i in range(len(images)) if i not in reasons)
    array = map_array(folder / PIXELS)
    skipped = tuple(Skipped(images.name(i), reason) for i, reason in reasons.items())
    return ReadableRows(array[: len(kept)], kept, skipped)


def _reasons(folder: Path) -> dict[int, str] | None:
    """Read the reason of each unreadable image, by its index; None where the folder is damaged."""
    try:
        map_array(folder / PIXELS)
        pairs = read_json(folder / UNREADABLE, list[tuple[int | str, ...]])
        return {int(index): str(reason) for index, reason in pairs}
    except (OSError, ValueError):
        return None


def _is_outdated(images: Images, reasons: Mapping[int, str]) -> bool:
    """Return True if an image that was unreadable when the folder was filled can be read now."""
    for index in reasons:
        with suppress(ImageError):
            images.read(index)
            return True
    return False


def _decode_all(images: Images, preprocessing: Preprocessing, folder: Path, label: str) -> None:
    shape = (len(images), preprocessing.height, preprocessing.width, preprocessing.channels)
    unreadable: list[tuple[int, str]] = []
    with cached_folder(folder) as partial, progress(label, len(images), "images") as advance:
        # Written as a stream: on a full disk, writing through a memory map would kill the process.
        with (partial / PIXELS).open("wb") as stream:
            np.lib.format.write_array_header_1_0(stream, {"descr": "|u1", "fortran_order": False, "shape": shape})
            end = stream.tell() + math.prod(shape)
            for index, image in enumerate(preprocessed(images, preprocessing, range(len(images)))):
                advance(1)
                if isinstance(image, ImageError):
                    unreadable.append((index, str(image)))
                else:
                    stream.write(image.tobytes())
            stream.truncate(end)
        (partial / UNREADABLE).write_text(json.dumps(unreadable))


def _key(images: Images, preprocessing: Preprocessing) -> str:
    digest = hashlib.sha256(json.dumps([DECODER, preprocessing.as_json()], sort_keys=True).encode())
    for image in images.digests:
        digest.update(image.encode())
    return digest.hexdigest()
