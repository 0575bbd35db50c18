"""Pictures decoded once to one size: a memory-mapped uint8 array that epochs read from."""

import hashlib
import json
import math
import shutil
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

import numpy as np

from tellapart.data.dataset import ArrayPictures, Pictures, Readable, Skipped
from tellapart.data.pipeline import fitted
from tellapart.data.preprocessing import DECODER, Preprocessing
from tellapart.errors import PictureError
from tellapart.files import cached_folder
from tellapart.progress import progress

UNREADABLE = "unreadable.json"


def pixels_of(pictures: Pictures, preprocessing: Preprocessing, *, cache: Path, label: str) -> Readable:
    """Decode pictures to the classifier's size, or map the array that an earlier run left in the cache.

    The values are uint8 (n, height, width, channels), memory-mapped where they were decoded.
    """
    shape = (preprocessing.height, preprocessing.width, preprocessing.channels)
    if isinstance(pictures, ArrayPictures) and pictures.array.shape[1:] == shape:
        return Readable(pictures.array, tuple(range(len(pictures))), ())
    folder = cache / "pixels" / _key(pictures, preprocessing)
    if folder.exists() and _lacks_readable(pictures, folder):
        shutil.rmtree(folder, ignore_errors=True)
    if not folder.exists():
        _decode_all(pictures, preprocessing, folder, label)
    reasons: dict[int, str] = {int(i): why for i, why in json.loads((folder / UNREADABLE).read_text())}
    kept = tuple(i for i in range(len(pictures)) if i not in reasons)
    array = np.load(folder / "pixels.npy", mmap_mode="r", allow_pickle=False)
    skipped = tuple(Skipped(pictures.name(i), why) for i, why in reasons.items())
    return Readable(array[: len(kept)], kept, skipped)


def _lacks_readable(pictures: Pictures, folder: Path) -> bool:
    """Whether a picture that could not be read when the folder was filled can be now, as its file is back."""
    for index, _ in json.loads((folder / UNREADABLE).read_text()):
        with suppress(PictureError):
            pictures.read(int(index))
            return True
    return False


def _decode_all(pictures: Pictures, preprocessing: Preprocessing, folder: Path, label: str) -> None:
    shape = (len(pictures), preprocessing.height, preprocessing.width, preprocessing.channels)
    unreadable: list[tuple[int, str]] = []
    with cached_folder(folder) as partial, progress(label, len(pictures), "pictures") as advance:
        # Written as a stream, since a full disk kills a process that writes through a memory map.
        with (partial / "pixels.npy").open("wb") as stream:
            np.lib.format.write_array_header_1_0(stream, {"descr": "|u1", "fortran_order": False, "shape": shape})
            end = stream.tell() + math.prod(shape)
            for index, picture in enumerate(fitted(pictures, preprocessing, range(len(pictures)))):
                advance(1)
                if isinstance(picture, PictureError):
                    unreadable.append((index, str(picture)))
                else:
                    stream.write(picture.tobytes())
            stream.truncate(end)
        (partial / UNREADABLE).write_text(json.dumps(unreadable))


def _key(pictures: Pictures, preprocessing: Preprocessing) -> str:
    digest = hashlib.sha256(json.dumps([DECODER, asdict(preprocessing)], sort_keys=True).encode())
    for picture in pictures.digests:
        digest.update(picture.encode())
    return digest.hexdigest()
