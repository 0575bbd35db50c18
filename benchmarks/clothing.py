"""Accuracy on the clothing photos, and the memory that training took.

    python benchmarks/clothing.py PHOTOS WEIGHTS [--sizes 150,299]

Trains a linear head on a frozen Xception with the default recipe, once per size, from an empty cache.
"""

import argparse
import json
import tempfile
from pathlib import Path

from measuring import TELLAPART, Table, measured

ASKED = {150: 0.80, 299: 0.90}
HEAD = ("--epochs", "30")  # the default recipe, and no climb from it


def main() -> None:
    """Train once per size and print what the runs say of themselves."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos")
    parser.add_argument("weights")
    parser.add_argument("--sizes", default="150,299")
    options = parser.parse_args()
    table = Table("size", "validation accuracy", "test accuracy (95 % interval)", "asked", "seconds", "peak memory")
    for size in map(int, options.sizes.split(",")):
        with tempfile.TemporaryDirectory() as folder:
            run = Path(folder) / "run"
            command = [TELLAPART, "train", options.photos, "--weights", options.weights, "--size", str(size), *HEAD]
            took = measured([*command, "--out", str(run)], TELLAPART_CACHE=f"{folder}/cache")
            metrics = json.loads((run / "metrics.json").read_text())
        test, validation = metrics["test"]["accuracy"], metrics["validation"]["accuracy"]
        interval = f"{test['value']:.3f} ({test['low']:.3f} to {test['high']:.3f})"
        asked = f"{ASKED[size]:.2f}" if size in ASKED else ""
        memory = f"{took.peak_bytes / 1e9:.2f} GB"
        table.row(f"{size} px", f"{validation['value']:.3f}", interval, asked, f"{took.seconds:.0f}", memory)
    table.print()


if __name__ == "__main__":
    main()
