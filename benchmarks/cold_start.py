"""From nothing to an answer: `tellapart --help`, and `tellapart predict` against Keras, in one session.

    python benchmarks/cold_start.py BUNDLE PHOTO [--repeats 5]

Keras's side imports it, loads the bundle's `model.keras`, decodes the photo and predicts. Takes turns.
"""

import argparse
import sys

from measuring import TELLAPART, Table, measured, median

KERAS = """
import sys
import numpy as np
import keras
from PIL import Image
model = keras.models.load_model(sys.argv[1] + "/model.keras")
height, width = model.input_shape[1:3]
photo = np.asarray(Image.open(sys.argv[2]).convert("RGB").resize((width, height)))
print(model.predict(photo[None], verbose=0).argmax())
"""


def main() -> None:
    """Take turns at the three commands."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle")
    parser.add_argument("photo")
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    commands = {
        "tellapart --help": [TELLAPART, "--help"],
        "tellapart predict": [TELLAPART, "predict", options.bundle, options.photo, "--json"],
        "Keras: import, load, predict": [sys.executable, "-c", KERAS, options.bundle, options.photo],
    }
    seconds: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(options.repeats):
        for name, command in commands.items():
            seconds[name].append(measured(command).seconds)
    table = Table("command", "seconds (median)", "least", "most")
    for name, values in seconds.items():
        table.row(name, f"{median(values):.2f}", f"{min(values):.2f}", f"{max(values):.2f}")
    table.print()
    pairs = zip(seconds["tellapart predict"], seconds["Keras: import, load, predict"], strict=True)
    print(f"--help: {median(seconds['tellapart --help']):.2f} s   (asked: at most 0.3)")
    print(f"predict / Keras: {median([ours / theirs for ours, theirs in pairs]):.2f}   (asked: at most 0.25)")


if __name__ == "__main__":
    main()
