"""Random augmentation of training images, written as one line of text such as `flip,rotate=30`."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from tellapart.errors import RecipeError, did_you_mean

FLIPS = ("horizontal", "vertical", "both")
MAX_STRENGTH = 30  # of RandAugment's scale, from 1
STRENGTH = 9  # the default


@dataclass(frozen=True)
class Kind:
    """A kind of augmentation: the range and unit of its value, and its effect."""

    low: float
    high: float
    unit: str
    meaning: str
    example: str

    @property
    def expected(self) -> str:
        """The expected value, as a clause for error messages."""
        low = f"{self.low:g}" if self.low else "more than 0"
        return f"{low} to {self.high:g}, {self.unit}, such as {self.example}"


KINDS: Mapping[str, Kind] = {
    "flip": Kind(0, 0, "horizontal, vertical or both", "one image in two is mirrored, along each way", "flip"),
    "rotate": Kind(0, 180, "degrees", "turned by up to this, either way", "rotate=30"),
    "shift": Kind(0, 0.5, "a share of the side", "moved by up to this, down or up and left or right", "shift=0.1"),
    "shear": Kind(0, 60, "degrees", "upright lines slant by up to this, either way", "shear=10"),
    "zoom": Kind(0, 0.5, "a share of the size", "made larger or smaller by up to this", "zoom=0.1"),
    "brightness": Kind(0, 1, "a share", "all values times 1, more or less up to this", "brightness=0.2"),
    "contrast": Kind(0, 1, "a share", "distances from the mean times 1, more or less up to this", "contrast=0.2"),
    "erase": Kind(0, 0.9, "a share of the area", "in one of two, a rectangle of up to this is made plain", "erase=0.2"),
    "crop": Kind(0.1, 1, "a share of the side", "a window of at least this, somewhere, fills the image", "crop=0.8"),
    "randaugment": Kind(1, 10, "operations of its 14", "of strength 1 to 30; see randaugment.py", "randaugment=2:9"),
    "mixup": Kind(0.01, 10, "alpha", "blended with another image, and its label too", "mixup=0.2"),
    "cutmix": Kind(0.01, 10, "alpha", "a rectangle comes from another image, labels by area", "cutmix=1"),
}
ELSEWHERE: Mapping[str, str] = {
    "hflip": "flip", "horizontal_flip": "flip", "fliplr": "flip", "mirror": "flip",
    "vflip": "flip=vertical", "vertical_flip": "flip=vertical", "flipud": "flip=vertical",
    "rotation": "rotate=30", "rotation_range": "rotate=30", "degrees": "rotate=30",
    "width_shift_range": "shift=0.1", "height_shift_range": "shift=0.1", "translate": "shift=0.1",
    "translation": "shift=0.1", "shear_range": "shear=10", "zoom_range": "zoom=0.1", "scale": "zoom=0.1",
    "brightness_range": "brightness=0.2", "color_jitter": "brightness=0.2,contrast=0.2", "cutout": "erase=0.2",
    "random_erasing": "erase=0.2", "random_crop": "crop=0.8", "randomresizedcrop": "crop=0.8",
    "autoaugment": "randaugment=2",
}  # fmt: skip
"""What other libraries call them, and how it is written here."""


@dataclass(frozen=True)
class Augmentation:
    """Random augmentation, in the units of `KINDS`; the default changes nothing. Raises RecipeError."""

    flip: str = ""
    rotate: float = 0.0
    shift: float = 0.0
    shear: float = 0.0
    zoom: float = 0.0
    brightness: float = 0.0
    contrast: float = 0.0
    erase: float = 0.0
    crop: float = 1.0
    randaugment: int = 0
    strength: int = STRENGTH
    mixup: float = 0.0
    cutmix: float = 0.0

    def __post_init__(self) -> None:
        """Refuse values out of range."""
        if self.flip not in ("", *FLIPS):
            raise RecipeError(f"flip is {self.flip!r}: {did_you_mean(self.flip, FLIPS)}")
        if not (isinstance(self.strength, int) and 1 <= self.strength <= MAX_STRENGTH):
            raise RecipeError(
                f"randaugment's strength is {self.strength}; expected a whole number, 1 to {MAX_STRENGTH}"
            )
        for name, kind in KINDS.items():
            value = getattr(self, name)
            if name != "flip" and value != _DEFAULTS[name] and not kind.low <= value <= kind.high:
                raise RecipeError(f"{name} is {value:g}; expected {kind.expected}")

    @staticmethod
    def parse(text: str) -> "Augmentation":
        """Parse text such as `flip,rotate=30,crop=0.8,randaugment=2:9`; empty is none. Raises RecipeError."""
        values: dict[str, Any] = {}
        for item in text.split(",") if text.strip() else ():
            name, equals, value = (part.strip() for part in item.partition("="))
            if name not in KINDS:
                known = ELSEWHERE.get(name.lower().replace("-", "_"))
                hint = f"write {known}" if known else did_you_mean(name, KINDS)
                raise RecipeError(f"there is no augmentation {name!r}: {hint}")
            if name in values:
                raise RecipeError(f"augment names {name} twice: {text!r}; expected it once")
            values |= _parse_value(name, value, has_equals=bool(equals))
        return Augmentation(**values)

    def __str__(self) -> str:
        """The line that `parse` reads back: kinds in a fixed order, numbers in their shortest form."""
        return ",".join(_format_value(name, self) for name in KINDS if getattr(self, name) != _DEFAULTS[name])

    @property
    def distorts(self) -> bool:
        """True if single images are changed."""
        return bool(str(self.per_image))

    @property
    def mixes(self) -> bool:
        """True if the images of a batch, and their labels, are mixed."""
        return self.mixup > 0 or self.cutmix > 0

    @property
    def per_image(self) -> "Augmentation":
        """The augmentation of single images, without MixUp and CutMix."""
        return replace(self, mixup=0.0, cutmix=0.0)


_DEFAULTS: Mapping[str, Any] = {field.name: field.default for field in fields(Augmentation)}


def _parse_value(name: str, value: str, *, has_equals: bool) -> dict[str, Any]:
    if name == "flip":
        if has_equals and not value:
            raise RecipeError(f"flip= has no value; expected {KINDS[name].unit}, or flip alone")
        return {"flip": value or "horizontal"}
    if not value:
        raise RecipeError(f"{name} has no value; expected {KINDS[name].expected}")
    if name == "randaugment":
        count, colon, strength = value.partition(":")
        return {name: _parse_int(name, count)} | ({"strength": _parse_int(name, strength)} if colon else {})
    number = _parse_float(name, value)
    if number == _DEFAULTS[name]:
        raise RecipeError(f"{name} is {value}, which does nothing: leave it out, or give {KINDS[name].expected}")
    return {name: number}


def _parse_float(name: str, value: str) -> float:
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if math.isfinite(number):
        return number
    raise RecipeError(f"{name} is {value!r}, which is not a number; expected {KINDS[name].expected}")


def _parse_int(name: str, value: str) -> int:
    if value.isascii() and value.isdigit() and len(value) < 4 and int(value):
        return int(value)
    raise RecipeError(f"{name} is {value!r}; expected {KINDS[name].expected}")


def _format_value(name: str, augmentation: Augmentation) -> str:
    value = getattr(augmentation, name)
    if name == "flip":
        return "flip" if value == "horizontal" else f"flip={value}"
    if name == "randaugment" and augmentation.strength != STRENGTH:
        return f"randaugment={value}:{augmentation.strength}"
    return f"{name}={repr(value).removesuffix('.0')}"
