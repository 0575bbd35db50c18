"""What 8 bits change for a network on this machine: accuracy, size and speed beside float, as export --int8 does it.

    python benchmarks/int8.py BUNDLE PHOTOS [--split validation]

PHOTOS has the images that the bundle was trained on, and those it is judged on. The precisions take turns.
"""

import argparse
import tempfile
from pathlib import Path

from measuring import Table
from tellapart import Bundle, Dataset
from tellapart.bundles.evaluate import align_classes, split_for
from tellapart.data.pipeline import BATCH
from tellapart.engine import write_graph
from tellapart.exporting.graph_formats import full_graph
from tellapart.exporting.int8 import MAX_ACCURACY_LOSS, MIN_SPEEDUP, calibration_images, compare_int8, quantize


def main() -> None:
    """Quantize, evaluate and time the bundle, and print the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("photos")
    parser.add_argument("--split", default="validation", choices=("validation", "test"))
    options = parser.parse_args()
    bundle = Bundle.open(options.bundle)
    bundle.verify()
    dataset = align_classes(Dataset.open(options.photos), bundle.classes)
    graph = quantize(full_graph(bundle), calibration_images(bundle, split_for(dataset, "train", bundle.seen)))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.xml")
        write_graph(graph, path)
        result = compare_int8(bundle, path, split_for(dataset, options.split, bundle.seen))
    table = Table("precision", f"images/s (batches of {BATCH})", "accuracy", "MB")
    accuracies = {"int8": result.int8_accuracy, "float32": result.float_accuracy}
    for name, rate in result.rates.items():
        size = result.int8_bytes if name == "int8" else result.float_bytes
        table.row(name, f"{rate:.0f}", f"{accuracies[name]:.1%}" if name in accuracies else "", f"{size / 1e6:.1f}")
    table.print()
    difference = result.comparison.accuracy_difference
    interval = f"{100 * difference.low:+.1f} to {100 * difference.high:+.1f}"
    print(
        f"accuracy, int8 - float32, on {result.comparison.n} images of {options.split}: {100 * difference.value:+.1f} "
        f"points ({interval})   (required: at least -{100 * MAX_ACCURACY_LOSS:.0f})"
    )
    print(f"int8 / {result.best}: {result.speedup:.2f} times as fast   (required: at least {MIN_SPEEDUP})")


if __name__ == "__main__":
    main()
