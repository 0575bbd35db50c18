"""Geometry: from a decoded image of any size to the one size a classifier takes.

Numbers are not touched here: scaling to a network's range is inside the graph. What is stored in a bundle is
this dataclass, and training and prediction call the same function.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from PIL import Image

from tellapart.data.image import ImageArray
from tellapart.errors import ImageError

Fit = Literal["stretch", "crop", "pad"]
DECODER = 2  # counted up whenever decoding or geometry gives other pixels than before: caches are kept under it


@dataclass(frozen=True)
class Preprocessing:
    """Size in pixels, channels (1 grey, 3 RGB), and how an image of another shape is made to fit.

    `stretch` changes its proportions, `crop` keeps the middle, `pad` adds black borders.
    """

    height: int
    width: int
    channels: int
    fit: Fit = "crop"

    def __call__(self, image: ImageArray) -> ImageArray:
        """Turn uint8 (h, w, 1 or 3) into uint8 (height, width, channels). Raises ImageError when empty."""
        if image.shape[:2] == (self.height, self.width) and image.shape[2] == self.channels:
            return image
        if 0 in image.shape:
            raise ImageError(f"the image is empty: its shape is {image.shape}")
        pil_image = to_image(image).convert("L" if self.channels == 1 else "RGB")
        array = np.asarray(self._fitted(pil_image))
        return array[:, :, np.newaxis] if self.channels == 1 else array

    def _fitted(self, pil_image: Image.Image) -> Image.Image:
        if self.fit == "crop":
            return _resized(pil_image, self.width, self.height, _middle(pil_image, self.width / self.height))
        if self.fit == "pad":
            return self._padded(pil_image)
        return _resized(pil_image, self.width, self.height, None)

    def _padded(self, pil_image: Image.Image) -> Image.Image:
        scale = min(self.width / pil_image.width, self.height / pil_image.height)
        width, height = max(1, round(pil_image.width * scale)), max(1, round(pil_image.height * scale))
        canvas = Image.new(pil_image.mode, (self.width, self.height))
        corner = ((self.width - width) // 2, (self.height - height) // 2)
        canvas.paste(_resized(pil_image, width, height, None), corner)
        return canvas


Box = tuple[float, float, float, float]


def _resized(pil_image: Image.Image, width: int, height: int, box: Box | None) -> Image.Image:
    # Pillow's bicubic filter widens with the reduction: it antialiases, which Keras's Resizing does not.
    return pil_image.resize((width, height), Image.Resampling.BICUBIC, box=box)


def _middle(pil_image: Image.Image, aspect: float) -> Box:
    """Find the largest centred box of the wanted width / height."""
    width = min(pil_image.width, pil_image.height * aspect)
    height = min(pil_image.height, pil_image.width / aspect)
    left, top = (pil_image.width - width) / 2, (pil_image.height - height) / 2
    return (left, top, left + width, top + height)


def to_image(image: ImageArray) -> Image.Image:
    """Give a decoded image, uint8 (h, w, 1 or 3), as a Pillow image of mode L or RGB."""
    return Image.fromarray(image[:, :, 0] if image.shape[2] == 1 else image)
