"""Fashion-MNIST: the mlp that a search finds, and the cnn with mirrored images; on its 10,000 of test.

python benchmarks/fashion.py [--max-epochs 27] [--workers 2] [--only cnn]
"""

import argparse
import os
import tempfile
import time
from pathlib import Path

from measuring import Table
from tellapart import Dataset, Recipe, Run, search, train

SPACE = ("units=256:512:32", "learning_rate=1e-2,1e-3,1e-4")  # the tutorials'
MLP = Recipe(model="mlp", schedule="cosine", dropout=0.3, batch_size=64)
CNN = Recipe(model="cnn", augment="flip", epochs=20, patience=20, monitor="val_accuracy")
ASKED = {"mlp, searched": 0.895, "cnn, augmented": 0.925}


def main() -> None:
    """Train both, one after the other."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--max-epochs", type=int, default=27)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--only", default="", help="a word that the model's line must have")
    options = parser.parse_args()
    fashion = Dataset.open("fashion-mnist")
    table = Table("model", "test accuracy (95 % interval)", "asked", "seconds", "recipe")
    with tempfile.TemporaryDirectory() as folder:

        def searched() -> Run:
            asked = {"max_epochs": options.max_epochs, "workers": options.workers}
            return search(fashion, MLP, SPACE, out=Path(folder) / "search", **asked).run

        def trained() -> Run:
            return train(fashion, CNN, out=Path(folder) / "cnn")

        for name, work in (("mlp, searched", searched), ("cnn, augmented", trained)):
            if options.only not in name:
                continue
            started = time.perf_counter()
            run = work()
            seconds = time.perf_counter() - started
            accuracy, recipe = run.metrics["test"]["accuracy"], run.recipe
            interval = f"{accuracy['value']:.4f} ({accuracy['low']:.4f} to {accuracy['high']:.4f})"
            facts = f"{recipe.units} units, rate {recipe.learning_rate:g}, {recipe.epochs} epochs"
            table.row(name, interval, f"{ASKED[name]:.3f}", f"{seconds:.0f}", facts)
    table.print()


if __name__ == "__main__":
    main()
