"""Which frozen bases have features in the cache, written down so that they are found again without Keras."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tellapart.data.preprocessing import DECODER, Preprocessing
from tellapart.engine import resolve_precision
from tellapart.files import atomic_write, cache_folder, sha256
from tellapart.models.weights import keras_download, locate_weights

if TYPE_CHECKING:
    from tellapart.models.features.frozen_backbone import FrozenBackbone


@dataclass(frozen=True)
class KnownBackbone:
    """A whole base of the catalogue with its published weights, and where its features are kept.

    `weights` is the SHA-256 of their file; `key` names the folder of the feature cache, `width` is how many features an
    image has.
    """

    name: str
    weights: str
    preprocessing: Preprocessing
    precision: str
    decoder: int
    key: str
    width: int


def register_backbone(base: "FrozenBackbone") -> None:
    """Write down a base of the catalogue, whole and with its published weights. Raises StorageError."""
    file = _weights_file(base.name)
    path = _notes() / f"{base.key}.json"
    if file is None or path.exists():
        return
    precision = resolve_precision(base.precision)
    known = KnownBackbone(base.name, sha256(file), base.preprocessing, precision, DECODER, base.key, base.width)
    atomic_write(path, json.dumps(asdict(known), indent=2) + "\n")


def known_backbones(name: str) -> tuple[KnownBackbone, ...]:
    """What was noted of a base and would be computed alike today, the largest images first."""
    noted = [known for known in map(_read, sorted(_notes().glob("*.json"))) if known and known.name == name]
    file = _weights_file(name) if noted else None
    if file is None:
        return ()
    wanted = (sha256(file), resolve_precision("auto"), DECODER)
    alike = [known for known in noted if (known.weights, known.precision, known.decoder) == wanted]
    return tuple(sorted(alike, key=lambda known: known.preprocessing.height, reverse=True))


def _notes() -> Path:
    return cache_folder() / "bases"


def _weights_file(name: str) -> Path | None:
    source = locate_weights(name, "imagenet")
    return keras_download(name, top=False) if source in (None, "imagenet") else Path(str(source))


def _read(path: Path) -> KnownBackbone | None:
    """A note; None where it cannot be read, as then the base is only noted anew."""
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
        return KnownBackbone(**facts | {"preprocessing": Preprocessing(**facts["preprocessing"])})
    except (OSError, ValueError, TypeError, KeyError):
        return None
