"""Forecast of a training's cost on this machine, measured just before it begins."""

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
from tellapart.training.fitting.examples import Examples
from tellapart.training.fitting.loop import FORECAST_STEPS, Loop
from tellapart.training.tasks import Backbone, extra_views

SAMPLE = 8 * BATCH  # images that are decoded and run to measure the rate of both together
SCORING = 1 / 3  # of training on an image: the forward pass without the backward one


@dataclass(frozen=True)
class Cost:
    """Seconds of a training: features that are not cached yet, compiling, and each epoch."""

    features_s: float
    compile_s: float
    epoch_s: float
    bytes_needed: int
    """Disk space for the features."""

    def seconds(self, epochs: int) -> float:
        """Return the sum over so many epochs."""
        return self.features_s + self.compile_s + epochs * self.epoch_s


def forecast(
    dataset: Dataset, recipe: NetworkRecipe, preprocessing: Preprocessing, backbone: Backbone, *, cache: Path
) -> Cost:
    """Time a few steps on noise, and where features are missing a few images through the backbone."""
    frozen, train = backbone.frozen, dataset.splits["train"].images
    examples = ConcatImages((train, *extra_views(train, recipe, preprocessing))) if frozen else train
    validation = dataset.splits["validation"].images if "validation" in dataset.splits else train.take([])
    compile_s, example_s = _time_steps(recipe, preprocessing, backbone, len(dataset.classes))
    evaluated = (validation, MirroredImages(validation)) if recipe.mirror else (validation,)
    missing = _count_missing(frozen, (examples, *evaluated), cache)
    rate = _feature_rate(frozen, train) if missing and frozen else 1.0
    return Cost(
        features_s=missing / rate,
        compile_s=compile_s,
        epoch_s=example_s * (len(examples) + SCORING * len(validation)),
        bytes_needed=2 * missing * (frozen.width if frozen else 0),
    )


def _time_steps(
    recipe: NetworkRecipe, preprocessing: Preprocessing, backbone: Backbone, classes: int
) -> tuple[float, float]:
    """Return the seconds to compile the first step, and the seconds for each example of an epoch."""
    started = time.perf_counter()
    loop = Loop(backbone.new_network(recipe, preprocessing.channels, classes), recipe)
    count = FORECAST_STEPS * loop.batch
    noise = np.random.default_rng(0).integers(0, 256, (count, *loop.network.input_shape[1:]), dtype=np.uint8)
    inputs = noise if backbone.frozen is None else noise.astype(np.float32) / 256
    epoch_s = loop.epoch_seconds(Examples(inputs, np.zeros(count, np.int32)))
    return max(time.perf_counter() - started - 2 * epoch_s, 0.0), epoch_s / count


def _count_missing(frozen: FrozenBackbone | None, sets: tuple[Images, ...], cache: Path) -> int:
    """Count the images whose features are not in the cache."""
    if frozen is None:
        return 0
    known = FeatureCache(cache / "features" / frozen.key).rows
    return len({digest for images in sets for digest in images.digests} - known.keys())


def _feature_rate(frozen: FrozenBackbone, images: Images) -> float:
    """Measure images per second, decoding included."""
    sample = range(min(SAMPLE, len(images)))
    if not frozen.rate or not sample:  # which also warms the engine up
        return 1.0
    started = time.perf_counter()
    deque(run_engine(frozen.engine, preprocessed(images, frozen.preprocessing, sample)), maxlen=0)
    return len(sample) / (time.perf_counter() - started)
