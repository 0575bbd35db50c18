"""Registry of frozen backbones with cached features, which finds them again without Keras."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tellapart.data.preprocessing import DECODER, Preprocessing
from tellapart.engine import resolve_precision
from tellapart.files import atomic_write, cache_folder, sha256
from tellapart.models.weights import keras_download, locate_weights
from tellapart.read_files import read_json

if TYPE_CHECKING:
    from tellapart.models.features.frozen_backbone import FrozenBackbone


@dataclass(frozen=True)
class KnownBackbone:
    """A complete backbone of the catalogue with its published weights, and its folder of the feature cache.

    `weights` is the SHA-256 of their file; `key` is the folder's name, `width` the number of features of an image.
    """

    name: str
    weights: str
    preprocessing: Preprocessing
    precision: str
    decoder: int
    key: str
    width: int


def register_backbone(backbone: "FrozenBackbone") -> None:
    """Register a complete backbone of the catalogue with its published weights. Raises StorageError."""
    file = _weights_file(backbone.name)
    path = _folder() / f"{backbone.key}.json"
    if file is None or path.exists():
        return
    precision = resolve_precision(backbone.precision)
    known = KnownBackbone(
        backbone.name, sha256(file), backbone.preprocessing, precision, DECODER, backbone.key, backbone.width
    )
    fields = asdict(known) | {"preprocessing": known.preprocessing.as_json()}
    atomic_write(path, json.dumps(fields, indent=2) + "\n")


def known_backbones(name: str) -> tuple[KnownBackbone, ...]:
    """List the entries of a backbone whose features would be the same today, the largest images first."""
    entries = [known for known in map(_read, sorted(_folder().glob("*.json"))) if known and known.name == name]
    file = _weights_file(name) if entries else None
    if file is None:
        return ()
    current = (sha256(file), resolve_precision("auto"), DECODER)
    valid = [known for known in entries if (known.weights, known.precision, known.decoder) == current]
    return tuple(sorted(valid, key=_area, reverse=True))


def _area(known: KnownBackbone) -> int:
    return known.preprocessing.height * known.preprocessing.width


def _folder() -> Path:
    return cache_folder() / "bases"


def _weights_file(name: str) -> Path | None:
    source = locate_weights(name, "imagenet")
    return keras_download(name, top=False) if source in (None, "imagenet") else Path(str(source))


def _read(path: Path) -> KnownBackbone | None:
    """Read an entry; None where it cannot be read, as the backbone is then registered again."""
    try:
        entry = read_json(path, dict[str, Any])
        return KnownBackbone(**entry | {"preprocessing": Preprocessing(**entry["preprocessing"])})
    except (OSError, ValueError, TypeError, KeyError):
        return None
