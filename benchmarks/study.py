"""The tutorials' study of the clothing photos, 190 epochs, against one epoch of their code times 190, in one session.

    python benchmarks/study.py PHOTOS WEIGHTS [--size 150] [--repeats 1]

The study: 4 learning rates x 10 epochs on a linear head, then 3 sizes of an inner layer x 10, then 4 dropout rates
x 30, nothing stopped early. Theirs runs every image through the backbone in each epoch. Ours is the command
`tellapart sweep` from start to finish: cold, with nothing cached; then once more with the features cached. Prints
seconds, ratios, and the best validation accuracy of both sides' sweep over learning rates. Theirs comes from their
layers, loss, optimizer, batches and decoding, on vectors that Keras runs through the backbone once: without
augmentation a frozen backbone gives the same vectors in each of their 40 epochs, which would take as long as 40 of
those printed here.
"""

import argparse
import csv
import subprocess
import sys
import tempfile
from pathlib import Path

from measuring import TELLAPART, Table, measured, median
from train_against_epoch import EPOCH

EPOCHS = 4 * 10 + 3 * 10 + 4 * 30
STUDY = (
    "--optimizer", "adam", "--batch-size", "32", "--schedule", "constant", "--epochs", "10", "--patience", "1000",
    "--inner", "0", "--dropout", "0", "--vary", "learning_rate=1e-4,1e-3,1e-2,1e-1", "--vary", "inner=10,100,1000",
    "--vary", "dropout=0,0.2,0.5,0.8 @ epochs=30",
)  # fmt: skip
FIRST = """
import sys
import numpy as np
photos, weights, size = sys.argv[1], sys.argv[2], int(sys.argv[3])
from tensorflow import keras
from tensorflow.keras.applications.xception import Xception, preprocess_input
from tensorflow.keras.preprocessing.image import ImageDataGenerator
keras.utils.set_random_seed(0)
flow = ImageDataGenerator(preprocessing_function=preprocess_input).flow_from_directory
base = Xception(weights=weights, include_top=False, input_shape=(size, size, 3), pooling="avg")
def vectors(split):
    images = flow(f"{photos}/{split}", target_size=(size, size), batch_size=32, shuffle=False)
    return base.predict(images, verbose=0), np.eye(10)[images.classes]
train, validation = vectors("train"), vectors("validation")
for rate in (1e-4, 1e-3, 1e-2, 1e-1):
    model = keras.Sequential([keras.Input((2048,)), keras.layers.Dense(10)])
    loss = keras.losses.CategoricalCrossentropy(from_logits=True)
    model.compile(optimizer=keras.optimizers.Adam(rate), loss=loss, metrics=["accuracy"])
    history = model.fit(*train, batch_size=32, epochs=10, validation_data=validation, verbose=0)
    print("accuracy", max(history.history["val_accuracy"]), flush=True)
"""
COLD, CACHED = 250, 600  # how many times faster is asked for


def main() -> None:
    """Take turns: an epoch of theirs, a cold sweep of ours, a second one."""
    options = _options()
    table = Table("turn", "their epoch, s", f"x {EPOCHS}, s", "sweep cold, s", "sweep cached, s", "cold", "cached")
    ratios: list[tuple[float, float]] = []
    for turn in range(options.repeats):
        theirs = _epoch(options) * EPOCHS
        with tempfile.TemporaryDirectory() as folder:
            cold, cached = (_sweep(options, Path(folder), name) for name in ("cold", "cached"))
            first, best = _best(Path(folder) / "cached")
        ratios.append((theirs / cold, theirs / cached))
        seconds = (theirs / EPOCHS, theirs, cold, cached)
        table.row(str(turn + 1), *(f"{one:,.1f}" for one in seconds), *(f"{one:,.0f} x" for one in ratios[-1]))
    table.print()
    for name, asked, column in zip(("cold", "cached"), (COLD, CACHED), zip(*ratios, strict=True), strict=True):
        print(f"{name}: {median(column):,.0f} times faster (asked: {asked})")
    print(f"best validation accuracy: {first:.1%} after the learning rates, {best:.1%} in all")
    print(f"theirs after the learning rates: {_accuracy(options):.1%}   (asked: at most {best:.1%}, ours in all)")


def _epoch(options: argparse.Namespace) -> float:
    """The second of two epochs of their code in one process, as the first has TensorFlow's start in it; seconds."""
    return _told(options, EPOCH, "2", name="seconds", count=2)[-1]


def _accuracy(options: argparse.Namespace) -> float:
    """The best validation accuracy of their sweep over learning rates."""
    return max(_told(options, FIRST, name="accuracy", count=4))


def _told(options: argparse.Namespace, code: str, *more: str, name: str, count: int) -> list[float]:
    """Run some of their code; give the numbers that it prints behind a name."""
    words = [sys.executable, "-c", code, str(options.photos), options.weights, str(options.size), *more]
    done = subprocess.run(words, input="\n\n", capture_output=True, text=True, check=False)
    found = [float(line.split()[1]) for line in done.stdout.splitlines() if line.startswith(f"{name} ")]
    if done.returncode or len(found) < count:
        sys.exit(f"the tutorials' code ended early:\n{done.stderr}")
    return found


def _sweep(options: argparse.Namespace, folder: Path, name: str) -> float:
    """Our sweep into a folder; all in `folder` share one cache; seconds."""
    source = [TELLAPART, "sweep", str(options.photos), "--weights", options.weights, "--size", str(options.size)]
    cache = str(options.cache or folder / "cache")
    return measured([*source, *STUDY, "--out", str(folder / name)], TELLAPART_CACHE=cache).seconds


def _best(folder: Path) -> tuple[float, float]:
    """The best validation accuracy of all epochs of the first factor's trials, and of all trials."""
    with (folder / "trials.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    if len(rows) != EPOCHS:
        sys.exit(f"the sweep had {len(rows)} epochs; expected {EPOCHS}")
    accuracies = [float(row["val_accuracy"]) for row in rows]
    return max(accuracies[: 4 * 10]), max(accuracies)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path)
    parser.add_argument("weights")
    parser.add_argument("--size", type=int, default=150)
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--cache", type=Path, help="share this cache, so that no turn is cold: for a quick look")
    return parser.parse_args()


if __name__ == "__main__":
    main()
