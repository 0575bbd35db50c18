"""Features of a data set's images from a frozen backbone: read from the cache without Keras, else computed."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from tellapart.backend import load_keras
from tellapart.checking.locations import Location, split_rank
from tellapart.data.dataset import Dataset, Split
from tellapart.data.decoding.conversion import Conversion
from tellapart.data.images import ConcatImages, Images
from tellapart.data.levels import visible_conversion
from tellapart.data.preprocessing import Preprocessing
from tellapart.errors import RecipeError, require
from tellapart.files import cache_folder
from tellapart.jobs import Jobs
from tellapart.models.catalogue import lookup
from tellapart.models.features.backbone_registry import known_backbones, register_backbone
from tellapart.models.features.feature_cache import FeatureCache, StoredRows, Values


@dataclass(frozen=True, eq=False)
class DatasetFeatures:
    """The readable images of all splits as one split, their locations, and their features, float32 (n, width)."""

    locations: tuple[Location, ...]
    split: Split
    rows: StoredRows


class FeaturesByDigest(Mapping[str, Values]):
    """Features, float32 (width,), by content hash. They stay on disk until accessed."""

    def __init__(self, digests: Sequence[str], rows: StoredRows) -> None:
        self._rows = rows
        self._indices = {digest: index for index, digest in enumerate(digests)}

    def __getitem__(self, digest: str) -> Values:
        row: Values = self._rows[np.array([self._indices[digest]])][0]
        return row

    def __iter__(self) -> Iterator[str]:
        return iter(self._indices)

    def __len__(self) -> int:
        return len(self._indices)


@dataclass(frozen=True, eq=False)
class _AllSplits:
    """The images of all splits as one split, train before validation before test."""

    dataset: Dataset

    @cached_property
    def names(self) -> list[str]:
        return sorted(self.dataset.splits, key=split_rank)

    @property
    def locations(self) -> list[Location]:
        labels = {name: self.dataset.splits[name].labels.tolist() for name in self.names}
        return [Location(name, index, label) for name in self.names for index, label in enumerate(labels[name])]

    @property
    def split(self) -> Split:
        parts = [self.dataset.splits[name] for name in self.names]
        groups = [name for part in parts for name in (part.groups or [""] * len(part))]
        labels = np.concatenate([part.labels for part in parts])
        grouped = any(part.groups is not None for part in parts)
        return Split(ConcatImages(tuple(part.images for part in parts)), labels, tuple(groups) if grouped else None)


def features_by_digest(dataset: Dataset, backbone: str) -> Mapping[str, Values]:
    """Return the features of each image, float32 (width,), by content hash. Raises as `dataset_features`."""
    features = dataset_features(dataset, backbone)
    return FeaturesByDigest(features.split.images.digests, features.rows)


def dataset_features(dataset: Dataset, backbone: str, jobs: Jobs | None = None) -> DatasetFeatures:
    """Return the features of all images from a backbone of the catalogue with its published weights.

    Features cached for all images are used, those of the largest input size first. Otherwise the backbone runs over
    the images at its default size, with progress, on the workers of `jobs` where given. Unreadable images are left
    out. Raises RecipeError, WeightsError.
    """
    if not lookup(backbone).pretrained:
        raise RecipeError(
            f"{backbone} has no pre-trained weights, so its features mean nothing: use --features xception"
        )
    merged = _AllSplits(dataset)
    split, locations = merged.split, merged.locations
    conversion = visible_conversion([split.images])
    cached = _read_cached(backbone, split.images.digests, conversion)
    rows, kept = cached or _compute(backbone, split.images, conversion, jobs, dataset.name)
    return DatasetFeatures(tuple(locations[i] for i in kept), split.take(kept), rows)


def _read_cached(
    backbone: str, digests: Sequence[str], conversion: Conversion
) -> tuple[StoredRows, Sequence[int]] | None:
    for known in known_backbones(backbone):
        if known.preprocessing.conversion != conversion:
            continue
        store = FeatureCache(cache_folder() / "features" / known.key)
        if store.knows(digests):
            return store.take(list(digests), (known.width,)), range(len(digests))
    return None


def _compute(
    backbone: str, images: Images, conversion: Conversion, jobs: Jobs | None, dataset: str
) -> tuple[StoredRows, Sequence[int]]:
    load_keras()
    # Imported by name: this room must not depend on Keras, and import-linter would see that it does.
    networks = require("tellapart.models.networks", extra="train")
    frozen_backbone = require("tellapart.models.features.frozen_backbone", extra="train")
    size = lookup(backbone).size
    network = networks.backbone_network(backbone, size, "imagenet")
    frozen = frozen_backbone.FrozenBackbone(backbone, network, Preprocessing(size, size, 3, range=conversion.range))
    stored = frozen_backbone.stored_features(
        frozen, images, cache=cache_folder(), label="features", jobs=jobs, dataset=dataset
    )
    register_backbone(frozen)
    return stored.rows, stored.kept
