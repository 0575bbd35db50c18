"""The description that Keras rebuilds a model from: nested, naming classes and functions.

Every name in it is looked up in the tables of `builtin.py`, so that what is refused is refused before Keras sees it.
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

MAX_DEPTH = 100  # levels of lists and objects; ten models one inside the other have 80
MAX_INTEGER = 10_000_000  # of a whole number: units, filters, sides; more could only be meant to fill the memory
ANY_SIZE = ("shared_object_id", "seed")
COMPILED = "compile_config"
"""What only training needs: optimizers, losses, metrics."""


def require_built_in(description: object) -> None:
    """Refuse a model's description that names anything but Keras's own classes. Raises WeightsError naming it."""
    _walk(description, "the model itself", 0, training=False)


def without_training(value: object) -> object:
    """The same description without optimizers, losses and metrics, which are then never made."""
    if isinstance(value, dict):
        return {key: without_training(item) for key, item in value.items() if key != COMPILED}
    return [without_training(item) for item in value] if isinstance(value, list) else value


def safe_text(name: object) -> str:
    """Somebody else's text as it can be printed safely."""
    return ascii(name)[:80]


def _walk(value: object, owner: str, depth: int, *, training: bool) -> None:
    if depth > MAX_DEPTH:
        raise WeightsError(f"the model's description is nested more than {MAX_DEPTH} deep: no classifier's is")
    if isinstance(value, dict):
        if "class_name" in value:
            owner = _named(value, owner)
            _require_known(value, owner, training=training)
        for key, item in value.items():
            _require_known_name(key, item, owner)
            if key not in ANY_SIZE:
                _walk(item, owner, depth + 1, training=training or key == COMPILED)
    elif isinstance(value, list):
        for item in value:
            _walk(item, owner, depth + 1, training=training)
    elif isinstance(value, int) and abs(value) > MAX_INTEGER:
        raise WeightsError(f"{owner} asks for {value:,}, at most {MAX_INTEGER:,} is taken: no classifier needs as much")


def _named(described: Mapping[str, object], owner: str) -> str:
    inner = described.get("config")
    name = described.get("name") or (inner.get("name") if isinstance(inner, dict) else None)
    return f"layer {safe_text(name)}" if name else owner


def _require_known(described: Mapping[str, object], owner: str, *, training: bool) -> None:
    kind, module, registered = (described.get(key) for key in ("class_name", "module", "registered_name"))
    if not isinstance(kind, str) or not isinstance(module, str | None):
        raise WeightsError(f"{owner} names its class as no Keras does: {safe_text(kind)}")
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
    """Layers may also name functions and classes by a string alone. Their own name is no path: Keras refuses / too."""
    if key == "name" and isinstance(value, str) and (re.search(r"[/\\]", value) or value.startswith("..")):
        raise WeightsError(f"{owner} has a name like a path; expected a name without / and \\. Rename it, save it anew")
    if isinstance(value, str) and (names := _names(key)) and _plain(value) not in names:
        raise _refused(owner, value, f"its {key}")


@cache
def _names(key: str) -> frozenset[str]:
    """The names that may stand in a field; none where any text may."""
    if key == "activation" or key.endswith("_activation"):
        return frozenset(map(_plain, ACTIVATIONS))
    for ending, names in (
        ("_initializer", INITIALIZERS | SHORT_NAMES),
        ("_regularizer", REGULARIZERS),
        ("_constraint", CONSTRAINTS),
    ):
        if key.endswith(ending):
            return frozenset(map(_plain, names))
    return frozenset()


def _plain(name: str) -> str:
    return name.replace("_", "").lower()


def _refused(owner: str, kind: object, origin: object) -> WeightsError:
    origin = f" ({safe_text(origin)})" if origin else ""
    return WeightsError(
        f"{owner} is made by {safe_text(kind)}{origin}, which is not among the parts of Keras that adopt takes: code from "
        f"elsewhere would have to run, and none does. Rebuild the model from built-in layers, or train one here"
    )
