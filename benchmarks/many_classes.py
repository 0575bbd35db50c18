"""How long thousands of classes take to judge, and in how much memory; an image or two of each.

python benchmarks/many_classes.py [--classes 9000] [--images 9000]
"""

import argparse
import json
import time

import numpy as np

from measuring import Table, own_peak_bytes
from tellapart.judging.calibration import apply_temperature, fit_temperature
from tellapart.judging.evaluation import judge


def main() -> None:
    """Judge made-up answers of which about two in three are correct, and calibrate them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--classes", type=int, default=9_000)
    parser.add_argument("--images", type=int, default=9_000)
    options = parser.parse_args()
    rng, table = np.random.default_rng(0), Table("step", "CPU seconds", "peak memory, GB")
    labels = np.arange(options.images) % options.classes
    probs = rng.random((options.images, options.classes), dtype=np.float32)
    probs[np.arange(options.images), labels] += 1.5 * rng.random(options.images, dtype=np.float32)
    probs /= probs.sum(axis=1, keepdims=True)
    table.row("the probabilities", "", f"{own_peak_bytes() / 1e9:.2f}")
    started = time.process_time()
    evaluation = judge(labels, probs, tuple(map(str, range(options.classes))))
    table.row("judge", f"{time.process_time() - started:.1f}", f"{own_peak_bytes() / 1e9:.2f}")
    size = len(json.dumps(evaluation.as_json(detailed=True)))
    started = time.process_time()
    apply_temperature(probs, fit_temperature(labels, probs))
    table.row("fit and apply a temperature", f"{time.process_time() - started:.1f}", f"{own_peak_bytes() / 1e9:.2f}")
    table.print()
    print(f"detailed JSON: {size / 1e6:.1f} MB; asked: a peak of less than 2.5 GB")


if __name__ == "__main__":
    main()
