"""Images in many sizes, to compare an export that resizes them itself with its bundle."""

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass

import numpy as np
from PIL import Image

from tellapart.data.decoding.conversion import ImageArray
from tellapart.data.preprocessing import Preprocessing, to_image

MAX_PIXELS = 500_000  # of an image that is kept in memory with 199 others
ODD_SIZES = ((97, 61), (61, 131), (301, 257), (33, 47), (640, 211))  # width and height


@dataclass(frozen=True, repr=False)
class OwnSize(Preprocessing):
    """The preprocessing of a classifier without its resizing; large images are reduced by a whole factor."""

    @classmethod
    def of(cls, preprocessing: Preprocessing) -> "OwnSize":
        """Return it for a classifier."""
        return cls(**asdict(preprocessing))

    def __call__(self, image: ImageArray) -> ImageArray:
        """Convert uint8 (h, w, 1 or 3) to the classifier's channels: uint8 (h, w, channels)."""
        converted = to_image(image).convert("L" if self.channels == 1 else "RGB")
        factor = int(np.ceil(np.sqrt(image.shape[0] * image.shape[1] / MAX_PIXELS)))
        return _to_array(converted.reduce(factor), self.channels)


def vary_sizes(images: Iterable[ImageArray]) -> Iterator[ImageArray]:
    """Yield each image, uint8 (h, w, c): as it is, without some rows and columns, and in one of ODD_SIZES in turn."""
    for index, image in enumerate(images):
        if index % 3 == 1:
            height, width = (max(1, side - index % most) for side, most in zip(image.shape, (7, 11), strict=False))
            yield image[:height, :width]
        elif index % 3 == 2:
            small = to_image(image).resize(ODD_SIZES[index // 3 % len(ODD_SIZES)])
            yield _to_array(small, image.shape[2])
        else:
            yield image


def _to_array(image: Image.Image, channels: int) -> ImageArray:
    return np.asarray(image).reshape(image.height, image.width, channels)
