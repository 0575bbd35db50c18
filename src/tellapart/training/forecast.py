"""What a training will take on this machine, measured just before it begins."""

import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tellapart.data.dataset import Dataset
from tellapart.data.images import ConcatImages, Images, MirroredImages
from tellapart.data.pipeline import BATCH, preprocessed, run_engine
from tellapart.data.preprocessing import Preprocessing
from tellapart.models.features.feature_cache import FeatureCache
from tellapart.models.features.frozen_backbone import FrozenBackbone
from tellapart.models.resolved_recipe import NetworkRecipe
from tellapart.training.examples import Examples
from tellapart.training.loop import FORECAST_STEPS, Loop
from tellapart.training.tasks import Backbone, looks

SAMPLE = 8 * BATCH  # images that are decoded and run to know the rate of both together
SCORING = 1 / 3  # of what training on an image takes: the way forward without the way back


@dataclass(frozen=True)
class Cost:
    """What a training takes, in seconds: features that are not cached yet, getting ready, and each epoch."""

    features_s: float
    ready_s: float
    epoch_s: float
    bytes_needed: int
    """Of the disk, for the features."""

    def seconds(self, epochs: int) -> float:
        """All of it."""
        return self.features_s + self.ready_s + epochs * self.epoch_s


def forecast(
    dataset: Dataset, recipe: NetworkRecipe, preprocessing: Preprocessing, standing: Backbone, *, cache: Path
) -> Cost:
    """Measure a few steps on noise, and where features are missing a few images through the base."""
    train = dataset.splits["train"].images
    seen = ConcatImages((train, *looks(train, recipe, preprocessing))) if standing.base else train
    validation = dataset.splits["validation"].images if "validation" in dataset.splits else train.take([])
    ready_s, example_s = _training(recipe, preprocessing, standing, len(dataset.classes))
    judged = (validation, MirroredImages(validation)) if recipe.mirror else (validation,)
    missing = _missing(standing.base, (seen, *judged), cache)
    rate = _rate(standing.base, train) if missing and standing.base else 1.0
    return Cost(
        features_s=missing / rate,
        ready_s=ready_s,
        epoch_s=example_s * (len(seen) + SCORING * len(validation)),
        bytes_needed=2 * missing * (standing.base.width if standing.base else 0),
    )


def _training(
    recipe: NetworkRecipe, preprocessing: Preprocessing, standing: Backbone, classes: int
) -> tuple[float, float]:
    """Seconds until the first step is compiled, and seconds for each example of an epoch."""
    started = time.perf_counter()
    loop = Loop(standing.network(recipe, preprocessing.channels, classes), recipe)
    count = FORECAST_STEPS * loop.batch
    noise = np.random.default_rng(0).integers(0, 256, (count, *loop.network.input_shape[1:]), dtype=np.uint8)
    inputs = noise if standing.base is None else noise.astype(np.float32) / 256
    epoch_s = loop.epoch_seconds(Examples(inputs, np.zeros(count, np.int32)))
    return max(time.perf_counter() - started - 2 * epoch_s, 0.0), epoch_s / count


def _missing(base: FrozenBackbone | None, sets: tuple[Images, ...], cache: Path) -> int:
    if base is None:
        return 0
    known = FeatureCache(cache / "features" / base.key).rows
    return len({digest for images in sets for digest in images.digests} - known.keys())


def _rate(base: FrozenBackbone, images: Images) -> float:
    """Images a second, decoding and all."""
    some = range(min(SAMPLE, len(images)))
    if not base.rate or not some:  # which also warms the engine up
        return 1.0
    started = time.perf_counter()
    deque(run_engine(base.engine, preprocessed(images, base.preprocessing, some)), maxlen=0)
    return len(some) / (time.perf_counter() - started)
