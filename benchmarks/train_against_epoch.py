"""A whole `tellapart train` on photos against ONE epoch of the tutorials' code, in one session.

    python benchmarks/train_against_epoch.py PHOTOS WEIGHTS [--size 150] [--repeats 3]

The tutorials' epoch is `ImageDataGenerator.flow_from_directory` and `model.fit` on a frozen Xception, batch 32,
timed inside a warm process. Ours is the command from start to finish, cold: no cached features, JPEG files to
bundle; then once more with another head, the features cached. Prints each turn, medians, and ratios.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from measuring import TELLAPART, Table, measured, median

EPOCH = """
import sys, time
photos, weights, size, turns = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
from tensorflow import keras
from tensorflow.keras.applications.xception import Xception, preprocess_input
from tensorflow.keras.preprocessing.image import ImageDataGenerator
flow = ImageDataGenerator(preprocessing_function=preprocess_input).flow_from_directory
train = flow(photos + "/train", target_size=(size, size), batch_size=32)
validation = flow(photos + "/validation", target_size=(size, size), batch_size=32, shuffle=False)
base = Xception(weights=weights, include_top=False, input_shape=(size, size, 3))
base.trainable = False
inputs = keras.Input((size, size, 3))
outputs = keras.layers.Dense(10)(keras.layers.GlobalAveragePooling2D()(base(inputs, training=False)))
model = keras.Model(inputs, outputs)
loss = keras.losses.CategoricalCrossentropy(from_logits=True)
model.compile(optimizer=keras.optimizers.Adam(0.01), loss=loss, metrics=["accuracy"])
for _ in range(turns):
    sys.stdin.readline()
    started = time.perf_counter()
    model.fit(train, epochs=1, validation_data=validation, verbose=0)
    print("seconds", time.perf_counter() - started, flush=True)
"""


def main() -> None:
    """Take turns: an epoch of theirs, a cold train of ours, a second train of ours."""
    options = _options()
    words = [sys.executable, "-c", EPOCH, str(options.photos), options.weights, str(options.size), str(options.repeats)]
    theirs = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    table = Table("turn", "tutorials' epoch, s", "train cold, s", "train again, s")
    rows: list[tuple[float, float, float]] = []
    for turn in range(options.repeats):
        row = (_epoch(theirs), *_ours(options))
        rows.append(row)
        table.row(str(turn + 1), *(f"{seconds:.1f}" for seconds in row))
    epoch, cold, again = (median(column) for column in zip(*rows, strict=True))
    table.row("median", f"{epoch:.1f}", f"{cold:.1f}", f"{again:.1f}")
    table.print()
    print(f"cold / epoch:  {median([row[1] / row[0] for row in rows]):.2f}   (asked: under 0.6)")
    print(f"again / epoch: {median([row[2] / row[0] for row in rows]):.2f}   (asked: under 0.2)")


def _epoch(process: "subprocess.Popen[str]") -> float:
    if process.stdin is None or process.stdout is None:
        sys.exit("the tutorials' process has no pipes")
    process.stdin.write("\n")
    process.stdin.flush()
    for line in process.stdout:
        if line.startswith("seconds "):
            return float(line.split()[1])
    sys.exit("the tutorials' code ended early: its messages are above")


def _ours(options: argparse.Namespace) -> tuple[float, float]:
    with tempfile.TemporaryDirectory() as folder:
        command = [TELLAPART, "train", str(options.photos), "--weights", options.weights, "--size", str(options.size)]
        command += ["--epochs", "30", "--no-report"]  # the default recipe, no ladder from it, and no more than training
        cache = f"{folder}/cache"
        cold = measured([*command, "--out", f"{folder}/one"], TELLAPART_CACHE=cache)
        again = measured(
            [*command, "--inner", "100", "--dropout", "0.2", "--out", f"{folder}/two"], TELLAPART_CACHE=cache
        )
    return cold.seconds, again.seconds


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path)
    parser.add_argument("weights")
    parser.add_argument("--size", type=int, default=150)
    parser.add_argument("--repeats", type=int, default=3)
    return parser.parse_args()


if __name__ == "__main__":
    main()
