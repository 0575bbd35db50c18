"""Preprocessing: resizing a decoded image to the input size of a classifier.

Pixel values are not scaled here: that is part of the graph. A bundle stores this dataclass, so training and
prediction preprocess in the same way.
"""

from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, get_args

import numpy as np
from PIL import Image

from tellapart.data.decoding.conversion import Alpha, Conversion, ImageArray, Range, is_alpha, is_range
from tellapart.data.decoding.decode import decode
from tellapart.data.keras_resize import crop_bilinear, pad_bilinear, resize_bilinear
from tellapart.errors import ImageError

Fit = Literal["stretch", "crop", "pad"]
Resize = Literal["pillow-bicubic", "keras-bilinear", "keras-nearest"]
DECODER = 2  # part of cache keys: increase it whenever decoding or resizing gives other pixels


@dataclass(frozen=True, repr=False)
class Preprocessing:
    """Input size in pixels, channels (1 grey, 3 RGB), and how images of other proportions are made to fit.

    `stretch` changes the proportions, `crop` keeps the centre, `pad` adds black borders. `resize` is how pixels are
    computed: Pillow's bicubic filter with antialiasing, or without antialiasing as Keras's
    `image_dataset_from_directory` (keras-bilinear), or its `load_img` and `ImageDataGenerator` (keras-nearest).
    """

    height: int
    width: int
    channels: int
    fit: Fit = "crop"
    resize: Resize = "pillow-bicubic"
    range: Range | None = None
    """The values of 16-bit images that become black and white; None takes their high byte."""
    alpha: Alpha = "white"
    """What transparent images are laid on."""

    def __post_init__(self) -> None:
        """Take a range as JSON holds it."""
        stored: object = self.range
        if isinstance(stored, list):
            object.__setattr__(self, "range", tuple(stored))

    @property
    def conversion(self) -> Conversion:
        """The conversion of a file's pixels to 8 bits without transparency, for `decode` and `Images.read`."""
        return Conversion(self.range, self.alpha, fast_jpeg=self.resize == "keras-bilinear")

    def of_bytes(self, content: bytes) -> ImageArray:
        """Decode and resize the bytes of a file: uint8 (height, width, channels). Raises ImageError."""
        return self(decode(content, conversion=self.conversion))

    def __repr__(self) -> str:
        """Name the fields of `as_json`: the text is part of cache keys, and seeds the views of augmented images."""
        values = ", ".join(f"{name}={value!r}" for name, value in self.as_json().items())
        return f"Preprocessing({values})"

    @property
    def is_valid(self) -> bool:
        """False where a field, perhaps read from a file, has a value that none of its type may have."""
        sides = (self.height, self.width, self.channels)
        whole = all(type(side) is int and side > 0 for side in sides)
        named = self.fit in get_args(Fit) and self.resize in get_args(Resize)
        return whole and named and is_range(self.range) and is_alpha(self.alpha)

    def as_json(self) -> dict[str, Any]:
        """Return the fields for files and cache keys, which lack a later field where it is as before it existed."""
        defaults = {item.name: item.default for item in fields(self) if item.name in LATER_FIELDS}
        return {name: value for name, value in asdict(self).items() if name not in defaults or value != defaults[name]}

    def __call__(self, image: ImageArray) -> ImageArray:
        """Resize uint8 (h, w, 1 or 3) to uint8 (height, width, channels). Raises ImageError when empty."""
        if image.shape[:2] == (self.height, self.width) and image.shape[2] == self.channels:
            return image
        if 0 in image.shape:
            raise ImageError(f"the image is empty: its shape is {image.shape}")
        pil_image = to_image(image).convert("L" if self.channels == 1 else "RGB")
        if self.resize == "keras-bilinear":
            return KERAS_BILINEAR[self.fit](_to_array(pil_image), self.height, self.width)
        return _to_array(self._fit(pil_image))

    def _fit(self, pil_image: Image.Image) -> Image.Image:
        if self.fit == "pad":
            return self._pad(pil_image)
        if self.fit == "stretch":
            return self._resize(pil_image, self.width, self.height, None)
        if self.resize == "keras-nearest":
            return self._resize(pil_image, self.width, self.height, _whole_box(pil_image, self.width, self.height))
        return self._resize(pil_image, self.width, self.height, _centred_box(pil_image, self.width / self.height))

    def _pad(self, pil_image: Image.Image) -> Image.Image:
        scale = min(self.width / pil_image.width, self.height / pil_image.height)
        width, height = max(1, round(pil_image.width * scale)), max(1, round(pil_image.height * scale))
        canvas = Image.new(pil_image.mode, (self.width, self.height))
        corner = ((self.width - width) // 2, (self.height - height) // 2)
        canvas.paste(self._resize(pil_image, width, height, None), corner)
        return canvas

    def _resize(self, pil_image: Image.Image, width: int, height: int, box: "Box | None") -> Image.Image:
        # Pillow's bicubic filter widens as it shrinks an image: it antialiases, which Keras does not.
        return pil_image.resize((width, height), FILTERS[self.resize], box=box)


LATER_FIELDS = ("resize", "range", "alpha")
FILTERS = {"pillow-bicubic": Image.Resampling.BICUBIC, "keras-nearest": Image.Resampling.NEAREST}
KERAS_BILINEAR = {"stretch": resize_bilinear, "crop": crop_bilinear, "pad": pad_bilinear}
Box = tuple[float, float, float, float]


def _centred_box(pil_image: Image.Image, aspect: float) -> Box:
    """Return the largest centred box of an aspect ratio, width / height."""
    width = min(pil_image.width, pil_image.height * aspect)
    height = min(pil_image.height, pil_image.width / aspect)
    left, top = (pil_image.width - width) / 2, (pil_image.height - height) / 2
    return (left, top, left + width, top + height)


def _whole_box(pil_image: Image.Image, width: int, height: int) -> Box:
    """Return the centred box of whole pixels that `keras.utils.load_img` takes with keep_aspect_ratio."""
    box_width = min(pil_image.width, max(1, pil_image.height * width // height))
    box_height = min(pil_image.height, max(1, pil_image.width * height // width))
    left, top = (pil_image.width - box_width) // 2, (pil_image.height - box_height) // 2
    return (left, top, left + box_width, top + box_height)


def _to_array(pil_image: Image.Image) -> ImageArray:
    array = np.asarray(pil_image)
    return array[:, :, np.newaxis] if array.ndim == 2 else array


def to_image(image: ImageArray) -> Image.Image:
    """Convert a decoded image, uint8 (h, w, 1 or 3), to a Pillow image of mode L or RGB."""
    return Image.fromarray(image[:, :, 0] if image.shape[2] == 1 else image)
