"""The ladder on images far from ImageNet: what it makes of the linear head's error, and how true its forecasts are.

    TELLAPART_DATA=... python benchmarks/ladder.py WEIGHTS [--time 20m] [--images 10000] [--size 96]

Trains on the first digits of MNIST, 15 % of them for validation, and judges on its 10,000 of test. What is
asked: an error at most half of the linear head's, and every forecast within a factor of 1.5 of what the step took.
"""

import argparse
import csv
import tempfile
from dataclasses import replace
from pathlib import Path

from measuring import Table
from tellapart import Dataset, Recipe, train
from tellapart.training.budget import parse_duration


def main() -> None:
    """Train the ladder, train the linear head by itself, and print each step and both errors."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights")
    parser.add_argument("--time", default="20m")
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--size", type=int, default=96)
    options = parser.parse_args()
    mnist = Dataset.open("mnist")
    digits = replace(
        mnist, splits={"train": mnist.splits["train"].take(range(options.images)), "test": mnist.splits["test"]}
    )
    recipe = Recipe(model="xception", weights=options.weights, size=options.size)
    with tempfile.TemporaryDirectory() as folder:
        laddered = train(digits, recipe, out=f"{folder}/laddered", seconds=parse_duration(options.time))
        linear = train(digits, recipe, out=f"{folder}/linear", budget="quick")
        with (Path(folder) / "laddered" / "ladder.csv").open(newline="") as stream:
            steps = list(csv.DictReader(stream))
        errors = [1 - run.metrics["test"]["accuracy"]["value"] for run in (linear, laddered)]
    table = Table("step", "forecast", "took", "took / forecast", "validation accuracy", "kept")
    for step in steps:
        took, forecast = float(step["took_s"]), float(step["forecast_s"])
        facts = (f"{forecast:.0f} s", f"{took:.0f} s", f"{took / forecast:.2f}")
        table.row(step["name"], *facts, f"{float(step['accuracy']):.4f}", step["kept"])
    table.print()
    print(f"error on test: linear head {errors[0]:.4f}, after the ladder {errors[1]:.4f}")
    print(f"after / before: {errors[1] / errors[0]:.2f}   (asked: 0.5)")


if __name__ == "__main__":
    main()
