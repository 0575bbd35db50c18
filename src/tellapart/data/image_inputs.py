"""Images as callers have them, each taken as what it is: a path, bytes, an open file, a Pillow image, an array.

Anything else is a TypeError that names what was found and what is expected, since an object that happens to be
iterable, such as text or a table, would otherwise be answered piece by piece.
"""

import inspect
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tellapart.data.decoding.conversion import USUAL, Conversion, ImageArray
from tellapart.data.decoding.decode import decode, from_pillow
from tellapart.data.labelled_images import LabelledImage
from tellapart.data.read_image import read_image
from tellapart.data.sources.listing import kinds_text, list_images
from tellapart.data.sources.references import find_image, is_reference
from tellapart.errors import DatasetError, ImageError
from tellapart.progress import notify

ONE = "image"  # the name of a single image that has none
EXPECTED = "a path, the bytes of an image file, a file opened with 'rb', a Pillow image or a uint8 array"
CHANNELS = (1, 3, 4)


@runtime_checkable
class BinaryFile(Protocol):
    """A file opened with 'rb', or what reads like one."""

    def read(self) -> bytes:
        """Return the rest of its bytes."""


ImageInput = (
    str
    | os.PathLike[str]
    | bytes
    | bytearray
    | memoryview
    | BinaryFile
    | Image.Image
    | NDArray[np.uint8]
    | LabelledImage
)
"""One image. An array is (height, width), or (height, width, channels) with 1 channel, 3 (RGB) or 4 (RGBA).

A text may also name an image of a data set, such as mnist:test[7388], which is `Dataset.open("mnist").test[7388]`.
"""


@dataclass(frozen=True)
class NamedImage:
    """An image to be read: its path or other name, and a function that decodes it, or raises ImageError."""

    name: str
    read: Callable[[], ImageArray]
    true: str | None = None
    """Its true label, where it is an image of a data set."""


def named_images(images: ImageInput | Iterable[ImageInput], conversion: Conversion = USUAL) -> Iterator[NamedImage]:
    """Name one image, all images of a folder or glob, or each image of an iterable, one at a time.

    An array of four dimensions, (n, height, width, channels), is n images. `conversion` is for those that are files or
    have transparency. Raises TypeError, immediately or where a member of an iterable is no image; DatasetError for a
    folder without images.
    """
    if isinstance(images, str | os.PathLike):
        return _listed(os.fsdecode(images), conversion)
    if isinstance(images, np.ndarray) and images.ndim == 4:
        return _numbered(list(images), conversion)
    if isinstance(images, np.ndarray) and images.dtype.kind in "OU" and images.ndim == 1:
        return _numbered(images.tolist(), conversion)
    if (named := _named(images, ONE, conversion)) is not None:
        return iter([named])
    if not isinstance(images, Iterable) or isinstance(images, Mapping) or getattr(images, "ndim", 1) != 1:
        raise _wrong_type(images, "the argument", f"{EXPECTED}, or a list of these")
    return _numbered(images, conversion)


def named_image(image: ImageInput, name: str | None = None, conversion: Conversion = USUAL) -> NamedImage:
    """Name one image. Raises TypeError."""
    named = _named(image, name or ONE, conversion)
    if named is None:
        raise _wrong_type(image, "the argument", EXPECTED)
    return named if name is None else replace(named, name=name)


def _listed(path: str, conversion: Conversion) -> Iterator[NamedImage]:
    if path == "-":  # a file of that name, since nothing here reads standard input
        yield _file(path, conversion)
        return
    listed = list_images([path], sys.stdin)
    yield from (_file(path, conversion) for path in listed)
    if listed.skipped:
        notify(f"left out: {kinds_text(listed.skipped)}")


def _numbered(images: Iterable[Any], conversion: Conversion) -> Iterator[NamedImage]:
    for number, image in enumerate(images, 1):
        named = _named(image, f"{ONE} {number}", conversion)
        if named is None:
            raise _wrong_type(image, f"{ONE} {number}", EXPECTED)
        yield named


def _named(image: object, name: str, conversion: Conversion) -> NamedImage | None:
    """Return an image with its own name, or the one given; None if it is not an image. Raises TypeError."""
    if isinstance(image, str | os.PathLike):
        return _file(os.fsdecode(image), conversion)
    if isinstance(image, LabelledImage):
        return _labelled(image.name, image, conversion)
    if isinstance(image, bytes | bytearray | memoryview):
        return NamedImage(name, partial(decode, bytes(image), conversion=conversion))
    if isinstance(image, Image.Image):
        return NamedImage(
            os.fsdecode(getattr(image, "filename", "")) or name, _now(partial(from_pillow, image, conversion))
        )
    if isinstance(image, np.ndarray):
        return NamedImage(name, _now(partial(_from_array, _checked(image, name), conversion)))
    if isinstance(image, BinaryFile):
        return _open_file(image, name, conversion)
    return None


def _labelled(name: str, image: LabelledImage, conversion: Conversion) -> NamedImage:
    return NamedImage(name, partial(image.read, conversion), image.label)


def _file(path: str, conversion: Conversion) -> NamedImage:
    if is_reference(path):
        try:
            return _labelled(path, find_image(path), conversion)
        except DatasetError as error:  # of this image alone, as a file that is not there
            return NamedImage(path, partial(_fail, ImageError(str(error))))
    return NamedImage(path, partial(read_image, path, conversion))


def _now(read: Callable[[], ImageArray]) -> Callable[[], ImageArray]:
    """Read an image at once: its owner may close it, or use its memory for the next one."""
    try:
        array = read()
    except ImageError as error:
        return partial(_fail, error)
    return lambda: array


def _fail(error: ImageError) -> ImageArray:
    raise error


def _open_file(file: BinaryFile, name: str, conversion: Conversion) -> NamedImage:
    """Read an open file at once: its position is shared by all who use it."""
    content: object = file.read()
    if inspect.iscoroutine(content):
        content.close()  # or else Python warns besides that nothing awaits it
    if not isinstance(content, bytes):
        raise TypeError(
            f"read() of {name}, a {type(file).__name__}, gives {type(content).__name__}, expected bytes: open the file "
            f"with open(path, 'rb'), or pass the bytes"
        )
    own_name = getattr(file, "name", None)
    return NamedImage(
        own_name if isinstance(own_name, str) and own_name else name, partial(decode, content, conversion=conversion)
    )


def _checked(array: NDArray[Any], name: str) -> NDArray[np.uint8]:
    if array.dtype != np.uint8:
        largest = "65,535" if array.dtype.kind in "iu" else "1"
        scaled = "array / 257" if array.dtype.kind in "iu" else "255 * array"
        raise TypeError(
            f"{name} is an array of {array.dtype} values, expected uint8 from 0 to 255: where its values are from 0 to "
            f'{largest}, convert it with ({scaled}).round().astype("uint8")'
        )
    if array.ndim == 2 or (array.ndim == 3 and array.shape[2] in CHANNELS):
        return array
    raise TypeError(
        f"{name} is an array of shape {array.shape}, expected (height, width), or (height, width, channels) with 1, 3 "
        f"or 4 channels: where the channels come first, convert it with array.transpose(1, 2, 0)"
    )


def _from_array(array: NDArray[np.uint8], conversion: Conversion) -> ImageArray:
    if array.ndim == 3 and array.shape[2] == 4 and array.size:
        return from_pillow(Image.fromarray(array), conversion)  # transparency as in a file
    return np.array(array[:, :, np.newaxis] if array.ndim == 2 else array, order="C")


def _wrong_type(value: object, name: str, expected: str) -> TypeError:
    kind = type(value).__name__
    return TypeError(f"{name} is {'an' if kind[0] in 'aeiouAEIOU' else 'a'} {kind}, expected {expected}")
