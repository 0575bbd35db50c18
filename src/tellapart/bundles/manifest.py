"""The manifest of a bundle, `bundle.json`: what it says, the hashes of the other files, and a hash of itself."""

import hashlib
import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NotRequired, TypedDict, get_args

from tellapart.data.preprocessing import Preprocessing
from tellapart.engine import Precision
from tellapart.errors import BundleError
from tellapart.models.classical.estimators import FOREST, HEAD, HEAD_WEIGHTS
from tellapart.read_files import ContentError, conform, read_json

FORMAT = 1
MANIFEST = "bundle.json"
GRAPH, WEIGHTS, KERAS, SEEN = "model.xml", "model.bin", "model.keras", "splits.json"
FILES = (GRAPH, WEIGHTS, KERAS, SEEN)  # of a network
HEAD_FILES = (GRAPH, WEIGHTS, HEAD, HEAD_WEIGHTS, SEEN)
FOREST_FILES = (GRAPH, WEIGHTS, FOREST, SEEN)
GRAPH_FILES = (GRAPH, WEIGHTS, SEEN)  # of an imported SavedModel, which has no Keras layers, and of a copy to serve
SAVED_MODEL = "saved_model"
"""The field of the recipe of an imported SavedModel."""
DIGEST = re.compile("[0-9a-f]{64}")  # SHA-256


@dataclass(frozen=True)
class Manifest:
    """Contents of `bundle.json`, apart from hashes."""

    name: str
    classes: tuple[str, ...]
    preprocessing: Preprocessing
    recipe: Mapping[str, Any]
    metrics: Mapping[str, Any]
    fingerprint: str
    licence: str | None
    calibration: Mapping[str, float] | None = None
    """The temperature in the graph, and the expected calibration error on validation images before and after it."""
    reject: Mapping[str, Any] | None = None
    """The fields of `Reject`, and how it was calibrated; None if there is no reject option."""
    copy_of: str | None = None
    """The digest of the bundle that this is a copy of, without `model.keras`; None for a whole bundle."""


class StoredReject(TypedDict):
    """Fields that a reject option in `bundle.json` must have."""

    probability: float
    strangeness: float | None


class _StoredManifest(TypedDict):
    """The fields that `bundle.json` must have, and their types; others are of later versions."""

    name: str
    classes: list[str]
    preprocessing: dict[str, Any]
    recipe: dict[str, Any]
    metrics: dict[str, dict[str, Any]]
    fingerprint: str
    licence: str | None
    files: dict[str, str]
    calibration: NotRequired[dict[str, float] | None]
    reject: NotRequired[dict[str, Any] | None]
    copy_of: NotRequired[str]


def read_manifest(folder: Path) -> tuple[Manifest, Mapping[str, str], str]:
    """Return the manifest of a bundle, the hashes of its files, and the hash of the manifest. Raises BundleError."""
    fields = _read_fields(folder)
    try:
        stored = conform(fields, _StoredManifest)
        manifest = Manifest(
            name=stored["name"],
            classes=_class_names(stored["classes"]),
            preprocessing=_preprocessing(stored["preprocessing"]),
            recipe=_recipe(stored["recipe"]),
            metrics=stored["metrics"],
            fingerprint=stored["fingerprint"],
            licence=stored["licence"],
            calibration=stored.get("calibration"),
            reject=stored.get("reject"),
            copy_of=_digest(stored.get("copy_of")),
        )
    except ContentError as error:
        raise BundleError(f"{folder / MANIFEST} is not that of a bundle: {error}. Train the bundle again") from error
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise BundleError(f"{folder / MANIFEST} lacks or misstates {error}: train the bundle again") from error
    return manifest, stored["files"], manifest_hash(fields)


def _read_fields(folder: Path) -> dict[str, Any]:
    path = folder / MANIFEST
    try:
        fields: Any = read_json(path, Any)
    except FileNotFoundError as error:
        raise BundleError(
            f"{folder} is not a bundle: it has no {MANIFEST}. The bundle of a run is in its bundle/ folder"
        ) from error
    except (OSError, ValueError) as error:
        raise BundleError(f"{path} cannot be read: {error}. Copy the bundle again, as a whole") from error
    if not isinstance(fields, dict) or fields.get("format") != FORMAT:
        version = fields.get("format") if isinstance(fields, dict) else type(fields).__name__
        raise BundleError(f"{path} has format {version!r:.40}, this tellapart reads format {FORMAT}")
    if fields.pop("sha256", None) != manifest_hash(fields):
        raise BundleError(f"{path} is not the file that was written: copy the whole bundle again")
    return fields


def manifest_hash(fields: Mapping[str, Any]) -> str:
    """Return the SHA-256 of a manifest's fields."""
    return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()


def file_names(names: Collection[str], manifest: Manifest) -> tuple[str, ...]:
    """Return the files of a bundle, whose kind shows in its manifest or in the names of some."""
    if manifest.recipe.get(SAVED_MODEL) is True or manifest.copy_of is not None:
        return GRAPH_FILES
    return HEAD_FILES if HEAD in names else FOREST_FILES if FOREST in names else FILES


def _class_names(names: object) -> tuple[str, ...]:
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names) or len({*names}) < len(names):
        raise ValueError("the names of its classes, all different")
    return tuple(names)


def _preprocessing(fields: Mapping[str, Any]) -> Preprocessing:
    preprocessing = Preprocessing(**fields)
    if not preprocessing.is_valid:
        raise ValueError("the geometry of its images")
    return preprocessing


def _digest(text: str | None) -> str | None:
    if text is not None and not DIGEST.fullmatch(text):
        raise ValueError("the bundle that it is a copy of")
    return text


def _recipe(fields: Mapping[str, Any]) -> dict[str, Any]:
    if fields.get("precision", "auto") not in get_args(Precision):
        raise ValueError("the precision of inference")
    return dict(fields)
