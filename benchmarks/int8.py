"""What 8 bits change for a network on this machine: accuracy, size and speed beside float, as export --int8 does it.

    python benchmarks/int8.py BUNDLE PHOTOS [--split validation]

PHOTOS has the images that the bundle was trained on, and those it is judged on. The precisions take turns.
"""

import argparse
import tempfile
from pathlib import Path

from measuring import Table
from tellapart import Bundle, Dataset
from tellapart.bundles.evaluate import relabelled, unseen
from tellapart.data.pipeline import BATCH
from tellapart.engine import write_graph
from tellapart.exporting.graphs import whole_graph
from tellapart.exporting.int8 import learning_images, quantised
from tellapart.exporting.int8_worth import FASTER, LOST, worth


def main() -> None:
    """Quantise, judge, time, and say what was asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("photos")
    parser.add_argument("--split", default="validation", choices=("validation", "test"))
    options = parser.parse_args()
    bundle = Bundle.open(options.bundle)
    bundle.verify()
    dataset = relabelled(Dataset.open(options.photos), bundle.classes)
    graph = quantised(whole_graph(bundle), learning_images(bundle, unseen(dataset, "train", bundle.seen)))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.xml")
        write_graph(graph, path)
        found = worth(bundle, path, unseen(dataset, options.split, bundle.seen))
    table = Table("precision", f"images/s (batches of {BATCH})", "accuracy", "MB")
    accuracies = {"int8": found.int8_accuracy, "float32": found.float_accuracy}
    for name, rate in found.rates.items():
        size = found.int8_bytes if name == "int8" else found.float_bytes
        table.row(name, f"{rate:.0f}", f"{accuracies[name]:.1%}" if name in accuracies else "", f"{size / 1e6:.1f}")
    table.print()
    lost = found.comparison.accuracy_difference
    interval = f"{100 * lost.low:+.1f} to {100 * lost.high:+.1f}"
    print(
        f"accuracy, int8 less float32, on {found.comparison.n} images of {options.split}: {100 * lost.value:+.1f} "
        f"points ({interval})   (asked: at least -{100 * LOST:.0f})"
    )
    print(f"int8 / {found.best}: {found.speedup:.2f} times as fast   (asked: at least {FASTER}, or it is not offered)")


if __name__ == "__main__":
    main()
