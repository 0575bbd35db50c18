"""Augmentation: what is done at random to training images, read from one line of text such as `flip,rotate=30`."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from tellapart.errors import RecipeError, did_you_mean

FLIPS = ("horizontal", "vertical", "both")
MAX_STRENGTH = 30  # of RandAugment's scale, from 1
STRENGTH = 9  # where none is given


@dataclass(frozen=True)
class Kind:
    """One thing that can be done: the values it takes, what they are, and what it does with them."""

    low: float
    high: float
    unit: str
    meaning: str
    example: str

    @property
    def expected(self) -> str:
        """The half sentence of an error."""
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


@dataclass(frozen=True)
class Augmentation:
    """What is done at random, in the units of `KINDS`; the default does nothing. Raises RecipeError."""

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
        """Refuse a value out of its range."""
        if self.flip not in ("", *FLIPS):
            raise RecipeError(f"flip is {self.flip!r}: {did_you_mean(self.flip, FLIPS)}")
        if not (isinstance(self.strength, int) and 1 <= self.strength <= MAX_STRENGTH):
            raise RecipeError(
                f"randaugment's strength is {self.strength}; expected a whole number, 1 to {MAX_STRENGTH}"
            )
        for name, kind in KINDS.items():
            value = getattr(self, name)
            if name != "flip" and value != _NOTHING[name] and not kind.low <= value <= kind.high:
                raise RecipeError(f"{name} is {value:g}; expected {kind.expected}")

    @staticmethod
    def parse(text: str) -> "Augmentation":
        """Read `flip,rotate=30,crop=0.8,randaugment=2:9` and the like; empty text does nothing. Raises RecipeError."""
        found: dict[str, Any] = {}
        for item in text.split(",") if text.strip() else ():
            name, equals, value = (part.strip() for part in item.partition("="))
            if name not in KINDS:
                raise RecipeError(f"there is no augmentation {name!r}: {did_you_mean(name, KINDS)}")
            if name in found:
                raise RecipeError(f"augment names {name} twice: {text!r}; expected it once")
            found |= _read(name, value, given=bool(equals))
        return Augmentation(**found)

    def __str__(self) -> str:
        """The line that `parse` reads back to the same, always in one order and with the shortest numbers."""
        return ",".join(_written(name, self) for name in KINDS if getattr(self, name) != _NOTHING[name])

    @property
    def distorts(self) -> bool:
        """Whether an image is changed by itself."""
        return bool(str(self.of_one))

    @property
    def mixes(self) -> bool:
        """Whether a batch is mixed within itself, labels too."""
        return self.mixup > 0 or self.cutmix > 0

    @property
    def of_one(self) -> "Augmentation":
        """Only what is done to an image by itself, without MixUp and CutMix."""
        return replace(self, mixup=0.0, cutmix=0.0)


_NOTHING: Mapping[str, Any] = {field.name: field.default for field in fields(Augmentation)}


def _read(name: str, value: str, *, given: bool) -> dict[str, Any]:
    if name == "flip":
        if given and not value:
            raise RecipeError(f"flip= has no value; expected {KINDS[name].unit}, or flip alone")
        return {"flip": value or "horizontal"}
    if not value:
        raise RecipeError(f"{name} has no value; expected {KINDS[name].expected}")
    if name == "randaugment":
        count, colon, strength = value.partition(":")
        return {name: _whole(name, count)} | ({"strength": _whole(name, strength)} if colon else {})
    number = _number(name, value)
    if number == _NOTHING[name]:
        raise RecipeError(f"{name} is {value}, which does nothing: leave it out, or give {KINDS[name].expected}")
    return {name: number}


def _number(name: str, value: str) -> float:
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if math.isfinite(number):
        return number
    raise RecipeError(f"{name} is {value!r}, which is no number; expected {KINDS[name].expected}")


def _whole(name: str, value: str) -> int:
    if value.isascii() and value.isdigit() and len(value) < 4 and int(value):
        return int(value)
    raise RecipeError(f"{name} is {value!r}; expected {KINDS[name].expected}")


def _written(name: str, augmentation: Augmentation) -> str:
    value = getattr(augmentation, name)
    if name == "flip":
        return "flip" if value == "horizontal" else f"flip={value}"
    if name == "randaugment" and augmentation.strength != STRENGTH:
        return f"randaugment={value}:{augmentation.strength}"
    return f"{name}={repr(value).removesuffix('.0')}"
