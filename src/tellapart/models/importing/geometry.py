"""Geometry of an imported model: the way in which the tool that trained it made images of one size.

Keras files do not state it. `image_dataset_from_directory`, the usual way, stretches them, bilinear and without
antialiasing; `load_img` and `ImageDataGenerator` take the nearest pixels. Teachable Machine crops to the centre.
"""

from dataclasses import dataclass

from tellapart.data.preprocessing import Fit, Preprocessing, Resize


@dataclass(frozen=True)
class Geometry:
    """Fit and resize of a tool's images, its name, and what else it may have been."""

    fit: Fit
    resize: Resize
    tool: str
    otherwise: str = ""


KERAS = Geometry(
    "stretch",
    "keras-bilinear",
    "Keras's image_dataset_from_directory",
    ". If it was trained on images of load_img or ImageDataGenerator, use --resize keras-nearest",
)
TEACHABLE = Geometry("crop", "pillow-bicubic", "Teachable Machine")
HERE = Geometry("crop", "pillow-bicubic", "tellapart")


def describe(geometry: Geometry, used: Preprocessing) -> str:
    """Say how images are made to fit, and whether that is the tool's way."""
    verb = {"stretch": "stretched", "crop": "cropped", "pad": "padded"}[used.fit]
    made = f"images are {verb} to {used.height} x {used.width} by {used.resize}"
    if (used.fit, used.resize) == (geometry.fit, geometry.resize):
        return f"{made}, as {geometry.tool} does{geometry.otherwise}"
    return f"{made}, as asked for; {geometry.tool} would have {geometry.fit} by {geometry.resize}"
