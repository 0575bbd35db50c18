"""What a frozen base sees in the images of a data set: read from the cache without Keras, computed where it lacks."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from tellapart.backend import load_keras
from tellapart.checking.locations import Place, rank
from tellapart.data.dataset import Dataset, Images, Split
from tellapart.data.images import ConcatImages
from tellapart.data.preprocessing import Preprocessing
from tellapart.errors import RecipeError, require
from tellapart.files import cache_folder
from tellapart.jobs import Jobs
from tellapart.models.catalogue import lookup
from tellapart.models.features.backbone_registry import known_backbones, register_backbone
from tellapart.models.features.feature_cache import FeatureCache, StoredRows, Values


@dataclass(frozen=True, eq=False)
class Seen:
    """All images of a data set that a base could see, in a row: where they stand, and their features.

    `split` holds the images of all splits, `places` says where each stands, `rows` are float32 (n, width).
    """

    places: tuple[Place, ...]
    split: Split
    rows: StoredRows


class ByDigest(Mapping[str, Values]):
    """Features float32 (width,) by the hash of the content. They stay on disk until one is asked for."""

    def __init__(self, digests: Sequence[str], rows: StoredRows) -> None:
        self._rows = rows
        self._numbers = {digest: number for number, digest in enumerate(digests)}

    def __getitem__(self, digest: str) -> Values:
        row: Values = self._rows[np.array([self._numbers[digest]])][0]
        return row

    def __iter__(self) -> Iterator[str]:
        return iter(self._numbers)

    def __len__(self) -> int:
        return len(self._numbers)


@dataclass(frozen=True, eq=False)
class _InARow:
    """The images of all splits as one split: train before validation before test."""

    dataset: Dataset

    @cached_property
    def names(self) -> list[str]:
        return sorted(self.dataset.splits, key=rank)

    @property
    def places(self) -> list[Place]:
        labels = {name: self.dataset.splits[name].labels.tolist() for name in self.names}
        return [Place(name, number, label) for name in self.names for number, label in enumerate(labels[name])]

    @property
    def split(self) -> Split:
        parts = [self.dataset.splits[name] for name in self.names]
        groups = [name for part in parts for name in (part.groups or [""] * len(part))]
        labels = np.concatenate([part.labels for part in parts])
        grouped = any(part.groups is not None for part in parts)
        return Split(ConcatImages(tuple(part.images for part in parts)), labels, tuple(groups) if grouped else None)


def features_by_digest(dataset: Dataset, base: str) -> Mapping[str, Values]:
    """The features of a data set's images, float32 (width,) each, by content hash; raises as `features_of` does."""
    seen = features_of(dataset, base)
    return ByDigest(seen.split.images.digests, seen.rows)


def features_of(dataset: Dataset, base: str, jobs: Jobs | None = None) -> Seen:
    """What a base of the catalogue, with its published weights, sees in all images of a data set.

    Features that are cached for all of them are taken, of the largest images first; else the base is run over
    images of its own size, with progress, by `jobs` where they are given. Images that cannot be read are left
    out. Raises RecipeError, WeightsError.
    """
    if not lookup(base).pretrained:
        raise RecipeError(f"{base} never trained on other images, so it sees nothing: take --features xception")
    row = _InARow(dataset)
    split = row.split
    rows, kept = _cached(base, split.images.digests) or _computed(base, split.images, jobs)
    places = row.places
    return Seen(tuple(places[i] for i in kept), split.take(kept), rows)


def _cached(base: str, digests: Sequence[str]) -> tuple[StoredRows, Sequence[int]] | None:
    for known in known_backbones(base):
        store = FeatureCache(cache_folder() / "features" / known.key)
        if store.knows(digests):
            return store.take(list(digests), (known.width,)), range(len(digests))
    return None


def _computed(base: str, images: Images, jobs: Jobs | None) -> tuple[StoredRows, Sequence[int]]:
    load_keras()
    # By name: what checks images knows no Keras, and an import would say otherwise.
    networks, features = (require(f"tellapart.models.{name}", extra="train") for name in ("networks", "features"))
    size = lookup(base).size
    frozen = features.FrozenBase(base, networks.base_network(base, size, "imagenet"), Preprocessing(size, size, 3))
    found = features.stored_features(frozen, images, cache=cache_folder(), label="features", jobs=jobs)
    register_backbone(frozen)
    return found.rows, found.kept
