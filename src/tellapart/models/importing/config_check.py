"""Check of the nested configuration from which Keras rebuilds a model.

Every class and function it names must be in `keras_allowlist`; anything else is refused before Keras reads it.
"""

import re
from collections.abc import Mapping
from functools import cache

from tellapart.errors import WeightsError
from tellapart.models.importing.keras_allowlist import (
    ACTIVATIONS,
    BUILT_IN,
    CONSTRAINTS,
    INITIALIZERS,
    REGULARIZERS,
    SHORT_NAMES,
    TRAINING_FUNCTIONS,
    TRAINING_MODULES,
)

MAX_DEPTH = 100  # levels of lists and objects; ten nested models have 80
MAX_INTEGER = 10_000_000  # units, filters, sides; more could only be meant to exhaust memory
ANY_SIZE = ("shared_object_id", "seed")
COMPILED = "compile_config"
"""The field of optimizers, losses and metrics, which only training needs."""


def require_built_in(description: object) -> None:
    """Check that a model's configuration names only Keras's own classes. Raises WeightsError with the other name."""
    _walk(description, "the model itself", 0, training=False)


def without_training(value: object) -> object:
    """Remove optimizers, losses and metrics from a configuration, so that they are never built."""
    if isinstance(value, dict):
        return {key: without_training(item) for key, item in value.items() if key != COMPILED}
    return [without_training(item) for item in value] if isinstance(value, list) else value


def safe_text(name: object) -> str:
    """Escape and shorten untrusted text, so that it can be printed."""
    return ascii(name)[:80]


def _walk(value: object, owner: str, depth: int, *, training: bool) -> None:
    if depth > MAX_DEPTH:
        raise WeightsError(f"the model's description is nested more than {MAX_DEPTH} deep, too deeply for a classifier")
    if isinstance(value, dict):
        if "class_name" in value:
            owner = _layer_name(value, owner)
            _require_known(value, owner, training=training)
        for key, item in value.items():
            _require_known_name(key, item, owner)
            if key not in ANY_SIZE:
                _walk(item, owner, depth + 1, training=training or key == COMPILED)
    elif isinstance(value, list):
        for item in value:
            _walk(item, owner, depth + 1, training=training)
    elif isinstance(value, int) and abs(value) > MAX_INTEGER:
        raise WeightsError(f"{owner} has the number {value:,}, at most {MAX_INTEGER:,} is allowed in a classifier")


def _layer_name(described: Mapping[str, object], owner: str) -> str:
    inner = described.get("config")
    name = described.get("name") or (inner.get("name") if isinstance(inner, dict) else None)
    return f"layer {safe_text(name)}" if name else owner


def _require_known(described: Mapping[str, object], owner: str, *, training: bool) -> None:
    kind, module, registered = (described.get(key) for key in ("class_name", "module", "registered_name"))
    if not isinstance(kind, str) or not isinstance(module, str | None):
        raise WeightsError(f"{owner} names its class as Keras never does: {safe_text(kind)}")
    if kind == "function":
        _require_known_function(described.get("config"), module, owner, training=training)
    elif registered not in (None, kind):
        raise _refused(owner, registered, module)
    elif kind not in BUILT_IN.get(module, ()) and not (training and module in TRAINING_MODULES):
        raise _refused(owner, kind, module)


def _require_known_function(name: object, module: str | None, owner: str, *, training: bool) -> None:
    known = TRAINING_FUNCTIONS if training else ACTIVATIONS
    if not isinstance(name, str) or name not in known or module not in ("builtins", "keras.activations"):
        raise _refused(owner, name, module)


def _require_known_name(key: str, value: object, owner: str) -> None:
    """Check the functions and classes that layers name by strings, and that a layer's name is not a path."""
    if key == "name" and isinstance(value, str) and (re.search(r"[/\\]", value) or value.startswith("..")):
        raise WeightsError(
            f"{owner} has a name like a path; expected a name without / and \\. Rename it and save it again"
        )
    if isinstance(value, str) and (names := _allowed_names(key)) and _normalise(value) not in names:
        raise _refused(owner, value, f"its {key}")


@cache
def _allowed_names(key: str) -> frozenset[str]:
    """The allowed values of a field; empty where any text is allowed."""
    if key == "activation" or key.endswith("_activation"):
        return frozenset(map(_normalise, ACTIVATIONS))
    for ending, names in (
        ("_initializer", INITIALIZERS | SHORT_NAMES),
        ("_regularizer", REGULARIZERS),
        ("_constraint", CONSTRAINTS),
    ):
        if key.endswith(ending):
            return frozenset(map(_normalise, names))
    return frozenset()


def _normalise(name: str) -> str:
    return name.replace("_", "").lower()


def _refused(owner: str, kind: object, origin: object) -> WeightsError:
    origin = f" ({safe_text(origin)})" if origin else ""
    return WeightsError(
        f"{owner} is made by {safe_text(kind)}{origin}, which is not among the Keras classes that import allows: it "
        f"would run code from elsewhere. Rebuild the model from built-in layers, or train one here"
    )
