"""Geometry of an imported model: the way in which the tool that trained it made images of one size.

Keras files do not state it. `image_dataset_from_directory`, the usual way, stretches them, bilinear and without
antialiasing; `load_img` and `ImageDataGenerator` take the nearest pixels. Teachable Machine crops to the centre.
"""

from dataclasses import dataclass

import keras

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
OURS = "pictures"  # the name of the input of models that were trained here


def geometry_of(model: keras.Model) -> Geometry:
    """Return the geometry of the tool that probably made a model."""
    if model.inputs[0].dtype == "uint8" and model.inputs[0].name == OURS:
        return HERE
    return TEACHABLE if _is_of_teachable_machine(model) else KERAS


def describe(geometry: Geometry, used: Preprocessing) -> str:
    """Say how images are made to fit, and whether that is the tool's way."""
    verb = {"stretch": "stretched", "crop": "cropped", "pad": "padded"}[used.fit]
    made = f"images are {verb} to {used.height} x {used.width} by {used.resize}"
    if (used.fit, used.resize) == (geometry.fit, geometry.resize):
        return f"{made}, as {geometry.tool} does{geometry.otherwise}"
    return f"{made}, as asked for; {geometry.tool} would have {geometry.fit} by {geometry.resize}"


def _is_of_teachable_machine(model: keras.Model) -> bool:
    """Return True if a model is MobileNet and its mean in one Sequential, and two dense layers in another."""
    parts = model.layers if isinstance(model, keras.Sequential) else []
    if len(parts) != 2 or not all(isinstance(part, keras.Sequential) for part in parts):
        return False
    kinds = [[type(layer).__name__ for layer in part.layers] for part in parts]
    return kinds == [["Functional", "GlobalAveragePooling2D"], ["Dense", "Dense"]] and not parts[1].layers[1].use_bias
