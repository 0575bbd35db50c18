"""Translation of configurations that Keras 2 (TensorFlow 2.0 to 2.15) wrote into those of Keras 3.

Only data is rewritten, nothing is run: `config_check` inspects the result like any other. What has no counterpart that
computes the same numbers is refused.
"""

import re
from collections.abc import Mapping
from typing import Any

from tellapart.errors import WeightsError
from tellapart.models.importing.config_check import COMPILED, LAYERS, MAX_DEPTH, MODELS, safe_text
from tellapart.models.importing.keras2_operations import OPERATIONS, operation_as_layer

Json = Any
"""A value as JSON has it: None, a number, a text, a list or an object."""
Config = dict[str, Json]

MAKERS = ("keras", "tf_keras", "tensorflow")
"""First words of the modules of Keras 2: keras.engine.functional, keras.src.engine.functional, tf_keras.src..."""
SHAPE = "batch_input_shape"
HOMES = ("initializers", "regularizers", "constraints")
ONE_GROUP = ("DepthwiseConv1D", "DepthwiseConv2D", "SeparableConv1D", "SeparableConv2D", "Conv2DTranspose")
UNLIKE = "hard_sigmoid"
"""An activation whose formula changed: 0.2 x + 0.5 in Keras 2, x / 6 + 0.5 in Keras 3, both within [0, 1]."""
SCOPED_NAME = re.compile(r"\w[\w.+-]*(/\w[\w.+-]*)+")  # conv1/conv, as in DenseNet; no path out of a folder


def is_keras2(version: object, config: object) -> bool:
    """Return True if Keras 2 wrote a configuration: by its version, without one by a field that Keras 3 renamed."""
    if isinstance(version, bytes):
        version = version.decode(errors="replace")
    if isinstance(version, str) and version[:1].isdigit():
        return version.startswith(("1.", "2."))
    return _has_key(config, SHAPE, 0)


def modernise(config: Config, version: object) -> Config:
    """Translate a configuration of Keras 2; others are returned as they are.

    Optimizers, losses and metrics are left out, since they are never built. Raises WeightsError.
    """
    if not is_keras2(version, config):
        return config
    modern: Config = _modern(config, 0)
    return modern


def _has_key(value: object, key: str, depth: int) -> bool:
    _require_depth(depth)
    if isinstance(value, dict):
        return key in value or any(_has_key(item, key, depth + 1) for item in value.values())
    return isinstance(value, list) and any(_has_key(item, key, depth + 1) for item in value)


def _modern(value: Json, depth: int) -> Json:
    """Translate from the innermost objects outwards."""
    _require_depth(depth)
    if isinstance(value, list):
        return [_modern(item, depth + 1) for item in value]
    if not isinstance(value, dict):
        return value
    value = {key: _modern(item, depth + 1) for key, item in value.items() if key not in (COMPILED, "build_config")}
    if not isinstance(value.get("class_name"), str):
        return value
    value = _modern_module(value)
    if not isinstance(value.get("config"), dict):
        return value
    kind = value["class_name"]
    if kind in MODELS and isinstance(value["config"].get("layers"), list):
        return {**value, "config": _modern_model(kind, value["config"])}
    return {**value, "config": _modern_layer(kind, value["config"])} if kind in LAYERS else value


def _require_depth(depth: int) -> None:
    if depth > MAX_DEPTH:
        raise WeightsError(f"the model's description is nested more than {MAX_DEPTH} deep, too deeply for a classifier")


def _modern_module(value: Config) -> Config:
    """Name the module where Keras 3 has a class of Keras 2. The module of other classes stays, to be refused."""
    kind, module = value["class_name"], value.get("module")
    if kind == "Model":
        kind = "Functional"
    if not isinstance(module, str) or module.split(".")[0] not in MAKERS:
        return {**value, "class_name": kind} if module is None else value
    home = next((f"keras.{name}" for name in HOMES if name in module.split(".")), None)
    if home is None and kind in LAYERS and not {"optimizers", "losses", "metrics"} & {*module.split(".")}:
        home = "keras.layers"
    if kind in MODELS:
        home = "keras" if kind == "Sequential" else "keras.src.models.functional"
    registered = value.get("registered_name")
    return {
        **value,
        "class_name": kind,
        "module": home or module,
        "registered_name": kind if registered == value["class_name"] else registered,
    }


def _modern_layer(kind: str, config: Config) -> Config:
    """Rename and leave out the fields of a layer that Keras 3 knows under other names, or no more."""
    config = dict(config)
    _require_same_formulas(config)
    if kind == "InputLayer" and SHAPE in config:
        config["batch_shape"] = config.pop(SHAPE)
    if isinstance(config.get("layer"), dict) and isinstance(config["layer"].get("config"), dict):
        config["layer"] = _without_shape(config["layer"])  # wrapped, as in TimeDistributed
    _leave_out(config, "ragged", False)
    _leave_out(config, "time_major", False)
    if kind in ONE_GROUP:
        _leave_out(config, "groups", 1)
    if kind.startswith("SeparableConv"):  # its two kernels have fields of their own
        for part in ("initializer", "regularizer", "constraint"):
            config.pop(f"kernel_{part}", None)
    if kind.startswith("SpatialDropout"):
        config.pop("trainable", None)
        _leave_out(config, "noise_shape", None)
    if kind == "BatchNormalization" and isinstance(config.get("axis"), list) and len(config["axis"]) == 1:
        config["axis"] = config["axis"][0]
    if kind == "LeakyReLU" and "alpha" in config:
        config["negative_slope"] = config.pop("alpha")
    if isinstance(policy := config.get("dtype"), dict):
        config["dtype"] = _dtype(policy)
    return config


def _leave_out(config: Config, key: str, usual: object) -> None:
    if key in config and config[key] == usual:
        del config[key]


def _require_same_formulas(config: Config) -> None:
    for key, value in config.items():
        name = value.get("config") if isinstance(value, dict) else value
        if key.endswith("activation") and name == UNLIKE:
            raise WeightsError(
                f"layer {safe_text(config.get('name'))} has the activation {UNLIKE}, whose formula Keras 3 changed: "
                f"the model would answer something else. Export it as ONNX with the Keras that wrote it"
            )


def _dtype(policy: Mapping[str, Any]) -> object:
    """Return float32 for a policy of mixed precision, in which the stored weights are: it computes no less exactly."""
    inner = policy.get("config")
    name = inner.get("name") if isinstance(inner, dict) else None
    known = policy.get("class_name") in ("Policy", "PolicyV1", "DTypePolicy") and isinstance(name, str)
    return "float32" if known and str(name).startswith(("mixed_", "float")) else policy


def _modern_model(kind: str, config: Config) -> Config:
    layers = [layer for layer in config["layers"] if isinstance(layer, dict)]
    if len(layers) < len(config["layers"]) or not all(isinstance(layer.get("config"), dict) for layer in layers):
        raise WeightsError("the layers of its description are not described as Keras does it")
    config = {**config, "name": _modern_name(config.get("name"))}
    if kind == "Sequential":
        return {**config, "layers": _with_input([_renamed(layer) for layer in layers])}
    layers = [operation_as_layer(layer) if layer["class_name"] in OPERATIONS else layer for layer in layers]
    nested = {str(layer.get("name")) for layer in layers if layer["class_name"] in MODELS}
    return {
        **config,
        "layers": [_renamed(_without_shape(_with_modern_nodes(layer, nested))) for layer in layers],
        "input_layers": _modern_ends(config.get("input_layers")),
        "output_layers": _modern_ends(config.get("output_layers")),
    }


def _with_modern_nodes(layer: Config, nested: set[str]) -> Config:
    nodes = layer.get("inbound_nodes", [])
    try:
        return {**layer, "inbound_nodes": [[_modern_node(source, nested) for source in node] for node in nodes]}
    except (TypeError, ValueError) as error:
        raise WeightsError(f"layer {safe_text(layer.get('name'))} is joined to others as Keras never does") from error


def _modern_node(source: list[Json], nested: set[str]) -> list[Json]:
    """Translate the name of a source; Keras 2 counted a nested model's own graph as the first of its uses."""
    name, index, *rest = source
    return [_modern_name(name), index - 1 if name in nested and type(index) is int and index > 0 else index, *rest]


def _modern_ends(ends: Json) -> Json:
    """Translate the inputs or outputs of a model, a list of [name, use, output]; Keras 3 has a single one bare."""
    if isinstance(ends, list) and ends and isinstance(ends[0], str):
        return [_modern_name(ends[0]), *ends[1:]]
    if isinstance(ends, list):
        return _modern_ends(ends[0]) if len(ends) == 1 else [_modern_ends(end) for end in ends]
    return ends


def _renamed(layer: Config) -> Config:
    config = {**layer["config"], "name": _modern_name(layer["config"].get("name"))}
    return {**layer, "config": config, **({"name": _modern_name(layer["name"])} if "name" in layer else {})}


def _modern_name(name: Json) -> Json:
    """Replace the slashes of a scoped name, which Keras 3 does not take."""
    return name.replace("/", "_") if isinstance(name, str) and SCOPED_NAME.fullmatch(name) else name


def _with_input(layers: list[Config]) -> list[Config]:
    """Put an input layer first, which early versions left out where the next layer had the shape."""
    shape = _first_shape(layers)
    layers = [_without_shape(layer) for layer in layers]
    if shape is None or layers[0]["class_name"] == "InputLayer":
        return layers
    entry = {"name": f"{layers[0]['config'].get('name')}_input", "batch_shape": shape, "dtype": "float32"}
    made_by = {"module": "keras.layers", "registered_name": None} if "module" in layers[0] else {}
    return [{**made_by, "class_name": "InputLayer", "config": entry}, *layers]


def _first_shape(layers: list[Config]) -> Json:
    """Find the shape that the first layer states, or the first layer in that one."""
    if not layers:
        return None
    config = layers[0]["config"]
    inner = config.get("layers")
    stated = config.get("batch_shape") or config.get(SHAPE)
    return _first_shape(inner) if stated is None and isinstance(inner, list) else stated


def _without_shape(layer: Config) -> Config:
    return {**layer, "config": {key: value for key, value in layer["config"].items() if key != SHAPE}}
