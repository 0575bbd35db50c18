"""Saliency maps drawn over their image: as preprocessed, or over the whole photo."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tellapart.data.decoding.conversion import ImageArray
from tellapart.data.preprocessing import Preprocessing, to_image
from tellapart.explaining.centred_logits import Heat

# From dark violet through green to yellow, ever lighter; readable with red-green colour blindness.
# Source: Smith and van der Walt, viridis (2015), at even steps.
VIRIDIS = (
    (68, 1, 84), (72, 40, 120), (62, 73, 137), (49, 104, 142), (38, 130, 142), (31, 158, 137), (53, 183, 121),
    (110, 206, 88), (181, 222, 43), (253, 231, 37),
)  # fmt: skip
MIN_OPACITY, MAX_OPACITY = 0.25, 0.65  # of the colour, at heat 0 and 1
MAX_SIDE = 1024  # pixels along the longer side of the overlay
OUTSIDE_BRIGHTNESS = 0.35  # of the parts of a photo that preprocessing cuts off


def overlay(image: ImageArray, heat: Heat) -> ImageArray:
    """Draw a map, float32 (height, width) in [0, 1], in colour over an image, uint8 (height, width, 1 or 3), in grey.

    Returns uint8 (height, width, 3).
    """
    grey = np.asarray(to_image(image).convert("L"), np.float32)[:, :, np.newaxis]
    opacity = (MIN_OPACITY + (MAX_OPACITY - MIN_OPACITY) * heat)[:, :, np.newaxis]
    return np.round(grey * (1 - opacity) + apply_colours(heat) * opacity).astype(np.uint8)


def apply_colours(heat: Heat) -> NDArray[np.float32]:
    """Map values in [0, 1] to colours: float32 (..., 3), 0 to 255."""
    positions = np.linspace(0, 1, len(VIRIDIS))
    channels = [np.interp(heat, positions, [colour[channel] for colour in VIRIDIS]) for channel in range(3)]
    return np.stack(channels, axis=-1).astype(np.float32)


def overlay_on_photo(photo: ImageArray, heat: Heat, preprocessing: Preprocessing) -> ImageArray:
    """Draw a map over the whole photo, at most `MAX_SIDE` pixels a side; parts the classifier did not see are dark.

    `heat` is of the image that `preprocessing` makes of the photo. Returns uint8 (h, w, 3).
    """
    small = shrink(photo)
    left, top, right, bottom = visible_box(photo.shape, preprocessing, small.shape)
    visible = small[top:bottom, left:right]
    drawn = (np.asarray(to_image(small).convert("RGB")) * np.float32(OUTSIDE_BRIGHTNESS)).astype(np.uint8)
    drawn[top:bottom, left:right] = overlay(visible, _without_padding(heat, photo.shape, preprocessing, visible.shape))
    return drawn


def shrink(photo: ImageArray) -> ImageArray:
    """Shrink a photo to at most `MAX_SIDE` pixels a side."""
    scale = MAX_SIDE / max(photo.shape)
    if scale >= 1:
        return photo
    pil_image = to_image(photo)
    small = pil_image.resize((max(1, round(pil_image.width * scale)), max(1, round(pil_image.height * scale))))
    return np.asarray(small).reshape(small.height, small.width, photo.shape[2])


def visible_box(photo: Sequence[int], preprocessing: Preprocessing, drawn: Sequence[int]) -> tuple[int, int, int, int]:
    """Compute left, top, right and bottom of the part that the classifier sees, in pixels of the photo as drawn."""
    height, width = photo[:2]
    if preprocessing.fit != "crop":
        return 0, 0, drawn[1], drawn[0]
    aspect = preprocessing.width / preprocessing.height
    across, down = min(1.0, height * aspect / width), min(1.0, width / aspect / height)
    left, top = round((1 - across) / 2 * drawn[1]), round((1 - down) / 2 * drawn[0])
    return left, top, max(left + 1, drawn[1] - left), max(top + 1, drawn[0] - top)


def _without_padding(heat: Heat, photo: Sequence[int], preprocessing: Preprocessing, drawn: Sequence[int]) -> Heat:
    """The map without its padded borders, float32, resized to the size as drawn."""
    height, width = heat.shape
    left = top = 0.0
    if preprocessing.fit == "pad":
        scale = min(width / photo[1], height / photo[0])
        left, top = (width - photo[1] * scale) / 2, (height - photo[0] * scale) / 2
    box = (left, top, width - left, height - top)
    pil_image = Image.fromarray(heat).resize((drawn[1], drawn[0]), Image.Resampling.BILINEAR, box=box)
    inner: Heat = np.clip(np.asarray(pil_image), 0, 1)
    return inner
