"""Geometry: from a decoded picture of any size to the one size a classifier takes.

Numbers are not touched here: scaling to a network's range is inside the graph. What is stored in a bundle is
this dataclass, and training and prediction call the same function.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from PIL import Image

from tellapart.data.image import Picture
from tellapart.errors import PictureError

Fit = Literal["stretch", "crop", "pad"]
DECODER = 2  # counted up whenever decoding or geometry gives other pixels than before: caches are kept under it


@dataclass(frozen=True)
class Preprocessing:
    """Size in pixels, channels (1 grey, 3 RGB), and how a picture of another shape is made to fit.

    `stretch` changes its proportions, `crop` keeps the middle, `pad` adds black borders.
    """

    height: int
    width: int
    channels: int
    fit: Fit = "crop"

    def __call__(self, picture: Picture) -> Picture:
        """Turn uint8 (h, w, 1 or 3) into uint8 (height, width, channels). Raises PictureError when empty."""
        if picture.shape[:2] == (self.height, self.width) and picture.shape[2] == self.channels:
            return picture
        if 0 in picture.shape:
            raise PictureError(f"the picture is empty: its shape is {picture.shape}")
        image = to_image(picture).convert("L" if self.channels == 1 else "RGB")
        array = np.asarray(self._fitted(image))
        return array[:, :, np.newaxis] if self.channels == 1 else array

    def _fitted(self, image: Image.Image) -> Image.Image:
        if self.fit == "crop":
            return _resized(image, self.width, self.height, _middle(image, self.width / self.height))
        if self.fit == "pad":
            return self._padded(image)
        return _resized(image, self.width, self.height, None)

    def _padded(self, image: Image.Image) -> Image.Image:
        scale = min(self.width / image.width, self.height / image.height)
        width, height = max(1, round(image.width * scale)), max(1, round(image.height * scale))
        canvas = Image.new(image.mode, (self.width, self.height))
        corner = ((self.width - width) // 2, (self.height - height) // 2)
        canvas.paste(_resized(image, width, height, None), corner)
        return canvas


Box = tuple[float, float, float, float]


def _resized(image: Image.Image, width: int, height: int, box: Box | None) -> Image.Image:
    # Pillow's bicubic filter widens with the reduction: it antialiases, which Keras's Resizing does not.
    return image.resize((width, height), Image.Resampling.BICUBIC, box=box)


def _middle(image: Image.Image, aspect: float) -> Box:
    """Find the largest centred box of the wanted width / height."""
    width = min(image.width, image.height * aspect)
    height = min(image.height, image.width / aspect)
    left, top = (image.width - width) / 2, (image.height - height) / 2
    return (left, top, left + width, top + height)


def to_image(picture: Picture) -> Image.Image:
    """Give a decoded picture, uint8 (h, w, 1 or 3), as a Pillow image of mode L or RGB."""
    return Image.fromarray(picture[:, :, 0] if picture.shape[2] == 1 else picture)
