"""Accuracy on the clothing photos, and the memory that training took.

    python benchmarks/clothing.py PHOTOS WEIGHTS [--runs 150,299,best]

Trains on a frozen Xception from an empty cache: a linear head by the default recipe at 150 and 299 px, then at 299 px
the best of 30 heads, which five folds of the training and validation photos chose (the test photos had no part in it).
"""

import argparse
import json
import tempfile
from pathlib import Path

from measuring import TELLAPART, Table, measured

LINEAR = ("--epochs", "30")  # the default recipe, and no ladder from it
BEST = (
    "--size", "299", "--mirror", "--inner", "1024", "--dropout", "0.5", "--label-smoothing", "0.1",
    "--learning-rate", "5e-4", "--schedule", "cosine", "--epochs", "6", "--patience", "6",
)  # fmt: skip
RUNS = {"150": ("--size", "150", *LINEAR), "299": ("--size", "299", *LINEAR), "best": BEST}
ASKED = {"150": 0.80, "299": 0.90, "best": 0.92}


def main() -> None:
    """Train each and print what the runs say of themselves."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos")
    parser.add_argument("weights")
    parser.add_argument("--runs", default="150,299,best")
    options = parser.parse_args()
    table = Table("run", "validation accuracy", "test accuracy (95 % interval)", "asked", "seconds", "peak memory")
    for name in options.runs.split(","):
        with tempfile.TemporaryDirectory() as folder:
            run = Path(folder) / "run"
            command = [TELLAPART, "train", options.photos, "--weights", options.weights, *RUNS[name], "--no-report"]
            took = measured([*command, "--out", str(run)], TELLAPART_CACHE=f"{folder}/cache")
            metrics = json.loads((run / "metrics.json").read_text())
        test, validation = metrics["test"]["accuracy"], metrics["validation"]["accuracy"]
        interval = f"{test['value']:.3f} ({test['low']:.3f} to {test['high']:.3f})"
        memory = f"{took.peak_bytes / 1e9:.2f} GB"
        table.row(name, f"{validation['value']:.3f}", interval, f"{ASKED[name]:.2f}", f"{took.seconds:.0f}", memory)
    table.print()


if __name__ == "__main__":
    main()
