"""A map laid over its image: as the classifier saw it, or over the whole photo."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tellapart.data.image import ImageArray
from tellapart.data.preprocessing import Preprocessing, to_image
from tellapart.explaining.centred_logits import Heat

# From dark violet over green to yellow: lighter means more, and people who see red and green alike read it too.
# Source: Smith and van der Walt, viridis (2015), at even steps.
VIRIDIS = (
    (68, 1, 84), (72, 40, 120), (62, 73, 137), (49, 104, 142), (38, 130, 142), (31, 158, 137), (53, 183, 121),
    (110, 206, 88), (181, 222, 43), (253, 231, 37),
)  # fmt: skip
FAINTEST, STRONGEST = 0.25, 0.65  # how much the colour covers where there is no heat, and where there is most
LARGEST = 1024  # pixels along the longer side of what is drawn
UNSEEN = 0.35  # brightness of what the classifier never saw


def overlay(image: ImageArray, heat: Heat) -> ImageArray:
    """An image, uint8 (height, width, 1 or 3), in grey under its map, float32 (height, width) in [0, 1], in colour.

    Returns uint8 (height, width, 3).
    """
    grey = np.asarray(to_image(image).convert("L"), np.float32)[:, :, np.newaxis]
    cover = (FAINTEST + (STRONGEST - FAINTEST) * heat)[:, :, np.newaxis]
    return np.round(grey * (1 - cover) + coloured(heat) * cover).astype(np.uint8)


def coloured(heat: Heat) -> NDArray[np.float32]:
    """The colour of each value in [0, 1]: float32 (..., 3), 0 to 255."""
    at = np.linspace(0, 1, len(VIRIDIS))
    channels = [np.interp(heat, at, [colour[channel] for colour in VIRIDIS]) for channel in range(3)]
    return np.stack(channels, axis=-1).astype(np.float32)


def overlay_on_photo(photo: ImageArray, heat: Heat, preprocessing: Preprocessing) -> ImageArray:
    """The whole photo under its map, at most `LARGEST` pixels a side; what the classifier never saw is darkened.

    `heat` is of the image that `preprocessing` made of it. Returns uint8 (h, w, 3).
    """
    small = shrunk(photo)
    left, top, right, bottom = seen_part(photo.shape, preprocessing, small.shape)
    inner = small[top:bottom, left:right]
    whole = (np.asarray(to_image(small).convert("RGB")) * np.float32(UNSEEN)).astype(np.uint8)
    whole[top:bottom, left:right] = overlay(inner, _unpadded(heat, photo.shape, preprocessing, inner.shape))
    return whole


def shrunk(photo: ImageArray) -> ImageArray:
    """The same photo at `LARGEST` pixels a side at most."""
    scale = LARGEST / max(photo.shape)
    if scale >= 1:
        return photo
    pil_image = to_image(photo)
    small = pil_image.resize((max(1, round(pil_image.width * scale)), max(1, round(pil_image.height * scale))))
    return np.asarray(small).reshape(small.height, small.width, photo.shape[2])


def seen_part(photo: Sequence[int], preprocessing: Preprocessing, drawn: Sequence[int]) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of what reached the classifier, in pixels of the photo as drawn (height, width)."""
    height, width = photo[:2]
    if preprocessing.fit != "crop":
        return 0, 0, drawn[1], drawn[0]
    aspect = preprocessing.width / preprocessing.height
    across, down = min(1.0, height * aspect / width), min(1.0, width / aspect / height)
    left, top = round((1 - across) / 2 * drawn[1]), round((1 - down) / 2 * drawn[0])
    return left, top, max(left + 1, drawn[1] - left), max(top + 1, drawn[0] - top)


def _unpadded(heat: Heat, photo: Sequence[int], preprocessing: Preprocessing, drawn: Sequence[int]) -> Heat:
    """The map of the photo itself, without that of the borders around it, float32 of the size as drawn."""
    height, width = heat.shape
    left = top = 0.0
    if preprocessing.fit == "pad":
        scale = min(width / photo[1], height / photo[0])
        left, top = (width - photo[1] * scale) / 2, (height - photo[0] * scale) / 2
    box = (left, top, width - left, height - top)
    pil_image = Image.fromarray(heat).resize((drawn[1], drawn[0]), Image.Resampling.BILINEAR, box=box)
    inner: Heat = np.clip(np.asarray(pil_image), 0, 1)
    return inner
