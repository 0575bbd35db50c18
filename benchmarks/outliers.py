"""Telling clothing photos from what they are not, by the features of a frozen Xception: both methods.

    python benchmarks/outliers.py PHOTOS WEIGHTS [--size 150] [--count 372]

Fitted on the training photos; test photos are distinguished from MNIST digits (found as `mnist`), uniform noise and
drawn signs. Prints the AUROC, which should be at least 0.99 for digits and noise; the share that is refused at the
score that 99 % of the validation photos do not exceed; and what the score costs. The default is mahalanobis, which
takes a tenth of the room for nearly the same answers; nearest tells the signs a little better.
"""

import argparse
import time
from collections import deque
from typing import get_args

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from measuring import Table, median
from tellapart import Dataset
from tellapart.backend import load_keras
from tellapart.data.images import Images
from tellapart.data.preprocessing import Preprocessing
from tellapart.data.sources.arrays import array_split
from tellapart.engine import Engine, core
from tellapart.files import cache_folder
from tellapart.models.outliers import Method, Outliers, fit_outliers, outlier_threshold

COLOURS = ((190, 20, 30), (20, 60, 170), (240, 200, 20), (250, 250, 250), (30, 120, 60))
CORNERS = {3: 0.0, 4: 45.0, 8: 22.5}  # and by how many degrees a sign of so many is turned
REPEATS = 20
Scores = NDArray[np.float32]


def main() -> None:
    """Fit, score, and print what either method tells apart and costs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos")
    parser.add_argument("weights")
    parser.add_argument("--size", type=int, default=150)
    parser.add_argument("--count", type=int, default=372)
    options = parser.parse_args()
    photos = Dataset.open(options.photos)
    features = all_features(photos, outlier_images(options.count, options.size), options.weights, options.size)
    labels = photos.splits["train"].labels
    table = Table("method", "test photos against", "AUROC", "asked", "refused", "of test photos")
    costs = Table("method", "seconds to fit", "MB in the graph", "ms an image: in batches", "alone", "precision")
    for method in get_args(Method):
        started = time.perf_counter()
        known = fit_outliers(features["train"], labels, method)
        fitting = time.perf_counter() - started
        usual, limit = known.score(features["test"]), outlier_threshold(known.score(features["validation"]))
        for name, asked in {"digits": "0.99", "noise": "0.99", "signs": ""}.items():
            scores = known.score(features[name])
            refused, wrongly = (scores > limit).mean(), (usual > limit).mean()
            table.row(method, name, f"{auroc(usual, scores):.4f}", asked, f"{refused:.3f}", f"{wrongly:.3f}")
        costs.row(method, f"{fitting:.1f}", *cost(known, features["test"]))
    table.print()
    costs.print()


def all_features(photos: Dataset, outlier: dict[str, Images], weights: str, size: int) -> dict[str, NDArray]:
    """The features of the photos by split and of the other images by name: float32 (n, width) each."""
    load_keras()
    from tellapart.models.features.frozen_backbone import FrozenBackbone, compute_features
    from tellapart.models.networks import backbone_network

    base = FrozenBackbone("xception", backbone_network("xception", size, weights), Preprocessing(size, size, 3))
    some = {name: split.images for name, split in photos.splits.items()} | outlier
    return {name: compute_features(base, some[name], cache=cache_folder(), label=name).values for name in some}


def outlier_images(count: int, size: int) -> dict[str, Images]:
    """Images that show no clothing."""
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (count, size, size, 3), dtype=np.uint8)
    signs = np.stack([sign(rng, size) for _ in range(count)])
    unlabelled = np.zeros(count, np.int32)
    digits = Dataset.open("mnist").splits["test"].take(range(count))
    return {
        "digits": digits.images,
        "noise": array_split(noise, unlabelled).images,
        "signs": array_split(signs, unlabelled).images,
    }


def sign(rng: np.random.Generator, size: int) -> NDArray[np.uint8]:
    """Draw something like a road sign: a bordered circle or polygon with a bar on it, before a rough wall."""
    wall = rng.normal(rng.integers(60, 200, 3), rng.uniform(5, 40), (size // 4, size // 4, 3))
    image = Image.fromarray(np.clip(wall, 0, 255).astype(np.uint8)).resize((size, size), Image.Resampling.BICUBIC)
    draw = ImageDraw.Draw(image)
    radius, (x, y) = rng.uniform(0.2, 0.4) * size, rng.uniform(0.4, 0.6, 2) * size
    border, inside = rng.choice(len(COLOURS), 2, replace=False)
    corners = int(rng.choice([0, *CORNERS]))
    for reach, colour in ((radius, COLOURS[border]), (0.75 * radius, COLOURS[inside])):
        if corners:
            turned = CORNERS[corners] + rng.uniform(-3, 3)
            draw.regular_polygon((x, y, reach), corners, rotation=turned, fill=colour)
        else:
            draw.circle((x, y), reach, fill=colour)
    draw.rectangle((x - 0.3 * radius, y - 0.08 * radius, x + 0.3 * radius, y + 0.08 * radius), fill=(10, 10, 10))
    return np.asarray(image)


def auroc(usual: Scores, outlier: Scores) -> float:
    """How often an outlier scores higher than a usual one, ties counting half: by the sum of ranks."""
    _, places, counts = np.unique(np.concatenate([usual, outlier]), return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[places]
    count = len(outlier)
    return float((ranks[len(usual) :].sum() - count * (count + 1) / 2) / (count * len(usual)))


def cost(known: Outliers, features: NDArray) -> tuple[str, ...]:
    """What a score adds to a bundle: megabytes, milliseconds in batches of 32 and alone, and at which precision."""
    core()
    import openvino
    from openvino import opset15 as ops

    taken = ops.parameter([-1, known.width], np.float32)
    graph = openvino.Model([known.node(ops, taken)], [taken], "score")
    size = sum(node.get_byte_size() for node in graph.get_ops() if node.get_type_name() == "Constant")
    milliseconds = []
    for batch in (32, 1):
        engine = Engine(graph, batch=batch, streams=batch > 1)
        milliseconds.append(milliseconds_each(engine, features[:320]))
    return (f"{size / 1e6:.1f}", *(f"{value:.3f}" for value in milliseconds), engine.precision)


def milliseconds_each(engine: Engine, features: NDArray) -> float:
    """The median of some runs, after one that warms up."""
    batches = [features[start : start + engine.batch] for start in range(0, len(features), engine.batch)]
    times = []
    for _ in range(REPEATS + 1):
        started = time.perf_counter()
        deque(engine.run(batches), maxlen=0)
        times.append((time.perf_counter() - started) * 1000 / len(features))
    return median(times[1:])


if __name__ == "__main__":
    main()
