"""Running a frozen Xception: tellapart against a bare OpenVINO loop and Keras's `predict`, in one session.

    python benchmarks/frozen_backbone.py PHOTOS WEIGHTS [--size 150] [--repeats 5]

Prints images a second (median over interleaved repeats) over ready arrays, and over JPEG files.
"""

import argparse
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

import numpy as np

from measuring import Table, median
from tellapart import Dataset
from tellapart.backend import load_keras
from tellapart.data.images import ArrayImages
from tellapart.data.pipeline import BATCH, preprocessed, run_engine
from tellapart.data.preprocessing import Preprocessing
from tellapart.engine import Engine, core

IMAGES = 512


def main() -> None:
    """Measure the four ways of running the backbone, taking turns."""
    options = _options()
    load_keras()
    from tellapart.models.graphs.convert import to_graph
    from tellapart.models.networks import backbone_network

    network = backbone_network("xception", options.size, options.weights)
    preprocessing = Preprocessing(options.size, options.size, 3)
    files = Dataset.open(options.photos).splits["train"].take(range(IMAGES)).images
    arrays = np.stack(list(preprocessed(files, preprocessing, range(IMAGES))))
    ready = ArrayImages(arrays, ("",) * IMAGES)
    graph = to_graph(network)
    engine = Engine(graph, batch=BATCH)
    ways: dict[str, Callable[[], object]] = {
        "Keras predict (TensorFlow, float32), arrays": lambda: network.predict(arrays, batch_size=32, verbose=0),
        f"bare OpenVINO loop ({engine.precision}), arrays": bare_loop(graph, arrays, engine.precision),
        f"tellapart ({engine.precision}), arrays": lambda: drain(engine, ready, preprocessing),
        f"tellapart ({engine.precision}), JPEG files": lambda: drain(engine, files, preprocessing),
    }
    rates: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(options.repeats + 1):
        for name, way in ways.items():
            started = time.perf_counter()
            way()
            if turn:  # the first turn warms up
                rates[name].append(IMAGES / (time.perf_counter() - started))
    keras_rate, bare_rate, ours, from_files = (median(values) for values in rates.values())
    table = Table("way", "images/s")
    for name, values in rates.items():
        table.row(name, f"{median(values):.1f}")
    table.print()
    print(f"tellapart / Keras predict: {ours / keras_rate:.2f}   (asked: 5 with AMX, 1.3 without)")
    print(
        f"tellapart / bare loop:     {ours / bare_rate:.2f}   (asked: 0.90); from files: {from_files / bare_rate:.2f}"
    )


def drain(engine: Engine, images: ArrayImages, preprocessing: Preprocessing) -> None:
    """Everything that `features_of` does but the cache."""
    deque(run_engine(engine, preprocessed(images, preprocessing, range(len(images)))), maxlen=0)


def bare_loop(graph: object, arrays: np.ndarray, precision: str) -> Callable[[], object]:
    """OpenVINO's own asynchronous queue over ready batches, as its guide has it."""
    import openvino

    fixed = graph.clone()
    fixed.reshape([BATCH, *arrays.shape[1:]])
    hints = {
        "INFERENCE_PRECISION_HINT": {"float32": "f32", "bfloat16": "bf16"}[precision],
        "PERFORMANCE_HINT": "THROUGHPUT",
    }
    queue = openvino.AsyncInferQueue(core().compile_model(fixed, "CPU", hints))

    def loop() -> None:
        for start in range(0, len(arrays), BATCH):
            queue.start_async({0: arrays[start : start + BATCH]})
        queue.wait_all()

    return loop


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path)
    parser.add_argument("weights")
    parser.add_argument("--size", type=int, default=150)
    parser.add_argument("--repeats", type=int, default=5)
    return parser.parse_args()


if __name__ == "__main__":
    main()
