"""MNIST: the tutorials' recipe and ours, and an epoch against plain `model.fit`, in one session.

TELLAPART_DATA=... python benchmarks/mnist.py [--repeats 5] [--only default,pixels]
"""

import argparse
import tempfile
import time
from pathlib import Path

from measuring import Table, median
from tellapart import Dataset, Recipe, train
from tellapart.backend import load_keras

TUTORIAL = Recipe(model="mlp", epochs=15, optimizer="sgd", learning_rate=0.01, batch_size=32, validation=0.0)
RECIPES = {
    "mlp, the tutorials' recipe (SGD 0.01, batch 32, 15 epochs)": (TUTORIAL, 0.963),
    "mlp, default recipe": (Recipe(model="mlp"), 0.980),
    "cnn, 5 epochs": (Recipe(model="cnn", epochs=5), 0.988),
    "lenet5, 5 epochs": (Recipe(model="lenet5", epochs=5), 0.988),
    "cnn, default recipe": (Recipe(model="cnn"), 0.992),
    "lenet5, default recipe": (Recipe(model="lenet5"), 0.992),
    "lenet5, augmented": (Recipe(model="lenet5", augment="rotate=10,shift=0.07", epochs=20, patience=20), 0.992),
    "knn on pixels": (Recipe(model="knn"), 0.968),
    "forest on pixels": (Recipe(model="forest"), 0.965),
}


def main() -> None:
    """Train each recipe once, then take turns at the tutorials' epoch."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--only", default="", help="words, one of which a recipe's name must have; no epochs then")
    options = parser.parse_args()
    words = options.only.split(",")
    load_keras()
    mnist = Dataset.open("mnist")
    table = Table("recipe", "test accuracy (95 % interval)", "asked", "seconds")
    chosen = {name: found for name, found in RECIPES.items() if any(word in name for word in words)}
    for name, (recipe, asked) in chosen.items():
        with tempfile.TemporaryDirectory() as folder:
            started = time.perf_counter()
            accuracy = train(mnist, recipe, out=Path(folder) / "run").metrics["test"]["accuracy"]
            seconds = time.perf_counter() - started
        interval = f"{accuracy['value']:.4f} ({accuracy['low']:.4f} to {accuracy['high']:.4f})"
        table.row(name, interval, f"{asked:.3f}", f"{seconds:.0f}")
    table.print()
    if not options.only:
        _epochs(mnist, options.repeats)


def _epochs(mnist: Dataset, repeats: int) -> None:
    """Take turns: an epoch of the tutorials' mlp by our loop and by plain `model.fit`, 60,000 images, batch 32."""
    import keras

    from tellapart.models.networks import scratch_network
    from tellapart.models.resolved_recipe import resolve_network
    from tellapart.training.fitting.examples import Examples
    from tellapart.training.fitting.loop import Loop

    recipe = resolve_network(TUTORIAL, own_size=28)
    images, labels = mnist.splits["train"].images.array, mnist.splits["train"].labels
    loop = Loop(scratch_network(recipe, 1, 10), recipe)
    plain = keras.Sequential(
        [
            keras.Input((28, 28)),
            keras.layers.Flatten(),
            keras.layers.Dense(128, activation="relu"),
            keras.layers.Dropout(0.2),
            keras.layers.Dense(10),
        ]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    plain.compile(optimizer=keras.optimizers.SGD(0.01), loss=loss, metrics=["accuracy"])
    scaled = images[..., 0] / 255.0
    ours, theirs = [], []
    for turn in range(repeats + 1):
        started = time.perf_counter()
        plain.fit(scaled, labels, batch_size=32, epochs=1, verbose=0)
        between = time.perf_counter()
        loop.epoch(Examples(images, labels), turn, lambda _: None)
        if turn:  # the first turn compiles
            theirs.append(between - started)
            ours.append(time.perf_counter() - between)
    print(f"\nan epoch of 60,000 images, batch 32: model.fit {median(theirs):.2f} s, tellapart {median(ours):.2f} s")
    ratio = median([a / b for a, b in zip(theirs, ours, strict=True)])
    print(f"model.fit / tellapart: {ratio:.1f}   (asked: 2)")


if __name__ == "__main__":
    main()
