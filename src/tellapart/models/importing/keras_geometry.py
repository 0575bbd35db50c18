"""The tool that probably made a Keras model, by its layers."""

import keras

from tellapart.models.importing.geometry import HERE, KERAS, TEACHABLE, Geometry

OURS = "pictures"  # the name of the input of models that were trained here


def geometry_of(model: keras.Model) -> Geometry:
    """Return the geometry of the tool that probably made a model."""
    if model.inputs[0].dtype == "uint8" and model.inputs[0].name == OURS:
        return HERE
    return TEACHABLE if _is_of_teachable_machine(model) else KERAS


def _is_of_teachable_machine(model: keras.Model) -> bool:
    """Return True if a model is MobileNet and its mean in one Sequential, and two dense layers in another."""
    parts = model.layers if isinstance(model, keras.Sequential) else []
    if len(parts) != 2 or not all(isinstance(part, keras.Sequential) for part in parts):
        return False
    kinds = [[type(layer).__name__ for layer in part.layers] for part in parts]
    return kinds == [["Functional", "GlobalAveragePooling2D"], ["Dense", "Dense"]] and not parts[1].layers[1].use_bias
