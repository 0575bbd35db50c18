"""Preprocessing: resizing a decoded image to the input size of a classifier.

Pixel values are not scaled here: that is part of the graph. A bundle stores this dataclass, so training and
prediction preprocess in the same way.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from PIL import Image

from tellapart.data.decode import ImageArray
from tellapart.errors import ImageError

Fit = Literal["stretch", "crop", "pad"]
DECODER = 2  # part of cache keys: increase it whenever decoding or resizing gives other pixels


@dataclass(frozen=True)
class Preprocessing:
    """Input size in pixels, channels (1 grey, 3 RGB), and how images of other proportions are made to fit.

    `stretch` changes the proportions, `crop` keeps the centre, `pad` adds black borders.
    """

    height: int
    width: int
    channels: int
    fit: Fit = "crop"

    def __call__(self, image: ImageArray) -> ImageArray:
        """Resize uint8 (h, w, 1 or 3) to uint8 (height, width, channels). Raises ImageError when empty."""
        if image.shape[:2] == (self.height, self.width) and image.shape[2] == self.channels:
            return image
        if 0 in image.shape:
            raise ImageError(f"the image is empty: its shape is {image.shape}")
        pil_image = to_image(image).convert("L" if self.channels == 1 else "RGB")
        array = np.asarray(self._fit(pil_image))
        return array[:, :, np.newaxis] if self.channels == 1 else array

    def _fit(self, pil_image: Image.Image) -> Image.Image:
        if self.fit == "crop":
            return _resize(pil_image, self.width, self.height, _centred_box(pil_image, self.width / self.height))
        if self.fit == "pad":
            return self._pad(pil_image)
        return _resize(pil_image, self.width, self.height, None)

    def _pad(self, pil_image: Image.Image) -> Image.Image:
        scale = min(self.width / pil_image.width, self.height / pil_image.height)
        width, height = max(1, round(pil_image.width * scale)), max(1, round(pil_image.height * scale))
        canvas = Image.new(pil_image.mode, (self.width, self.height))
        corner = ((self.width - width) // 2, (self.height - height) // 2)
        canvas.paste(_resize(pil_image, width, height, None), corner)
        return canvas


Box = tuple[float, float, float, float]


def _resize(pil_image: Image.Image, width: int, height: int, box: Box | None) -> Image.Image:
    # Pillow's bicubic filter widens as it shrinks an image: it antialiases, which Keras's Resizing does not.
    return pil_image.resize((width, height), Image.Resampling.BICUBIC, box=box)


def _centred_box(pil_image: Image.Image, aspect: float) -> Box:
    """Return the largest centred box of an aspect ratio, width / height."""
    width = min(pil_image.width, pil_image.height * aspect)
    height = min(pil_image.height, pil_image.width / aspect)
    left, top = (pil_image.width - width) / 2, (pil_image.height - height) / 2
    return (left, top, left + width, top + height)


def to_image(image: ImageArray) -> Image.Image:
    """Convert a decoded image, uint8 (h, w, 1 or 3), to a Pillow image of mode L or RGB."""
    return Image.fromarray(image[:, :, 0] if image.shape[2] == 1 else image)
