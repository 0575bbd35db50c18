"""Translation of models with channels first to channels last, which TensorFlow can run on a CPU.

Kernels have the same layout in both, so no weight changes. Where a layer's meaning depends on the order of the axes in
a way that is not translated, the model is refused.
"""

from typing import Any

from tellapart.errors import WeightsError
from tellapart.models.importing.config_check import MODELS, safe_text

Json = Any
"""A value as JSON has it."""
Config = dict[str, Json]

FIRST, LAST = "channels_first", "channels_last"
ON_AXIS_1 = ("BatchNormalization", "Concatenate", "GroupNormalization")
INDIFFERENT = (
    *("Activation", "ActivityRegularization", "Add", "AlphaDropout", "Average", "Dense", "Dropout", "ELU"),
    *("GaussianDropout", "GaussianNoise", "Identity", "InputLayer", "LeakyReLU", "Maximum", "Minimum", "Multiply"),
    *("ReLU", "Rescaling", "SpatialDropout2D", "Subtract"),
)


def to_channels_last(config: Config) -> Config:
    """Translate a checked configuration in which a layer has channels first; others are returned as they are.

    Raises WeightsError.
    """
    return _model(config) if _has_channels_first(config) else config


def _has_channels_first(value: Json) -> bool:
    if isinstance(value, dict):
        return value.get("data_format") == FIRST or any(map(_has_channels_first, value.values()))
    return isinstance(value, list) and any(map(_has_channels_first, value))


def _model(model: Config) -> Config:
    config, layers = model["config"], []
    for layer in config["layers"]:
        if layer["class_name"] == "Flatten" and layer["config"].get("data_format", LAST) == LAST:
            if model["class_name"] != "Sequential":
                raise _refused(layer)
            layers.append(_permute(layer))
        layers.append(_model(layer) if layer["class_name"] in MODELS else _layer(layer))
    build = {"build_input_shape": None} if "build_input_shape" in config else {}
    return {**model, "config": {**config, "layers": layers, **build}, "build_config": None}


def _layer(layer: Config) -> Config:
    kind, config = layer["class_name"], dict(layer["config"])
    if kind == "InputLayer":
        shape = config.get("batch_shape")
        if isinstance(shape, list) and len(shape) == 4:
            config["batch_shape"] = [shape[0], *shape[2:], shape[1]]
    elif kind in ON_AXIS_1:
        if config.get("axis") != 1:
            raise _refused(layer)
        config["axis"] = -1
    elif config.get("data_format") == FIRST:
        config["data_format"] = LAST
    elif kind not in (*INDIFFERENT, "Flatten"):
        raise _refused(layer)
    return {**{key: value for key, value in layer.items() if key != "build_config"}, "config": config}


def _permute(layer: Config) -> Config:
    """Return the layer that restores the order of axes for a Flatten that took channels first as they were."""
    name = f"{layer['config'].get('name')}_channels_first"
    made_by = {"module": "keras.layers", "registered_name": None} if "module" in layer else {}
    return {**made_by, "class_name": "Permute", "config": {"name": name, "dims": [3, 1, 2]}}


def _refused(layer: Config) -> WeightsError:
    name, kind = safe_text(layer["config"].get("name")), safe_text(layer["class_name"])
    return WeightsError(
        f"the model has channels first, and layer {name} ({kind}) is not translated to channels last. Rebuild it with "
        f"channels last, which has the same weights, and save it again"
    )
