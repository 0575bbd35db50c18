"""`search` against KerasTuner's Hyperband: the same images, space, batch size and trial-epochs, in one session.

    python benchmarks/search.py [--max-epochs 10] [--factor 3] [--images 0] [--batch-size 32] [--workers 2]

The space is units 256 to 512 by 32 and learning rates 1e-2, 1e-3, 1e-4 of an mlp on Fashion-MNIST, 5,000 of whose
training images are for validation; each side ranks by its own default, validation loss or accuracy. The two divide
epochs among trials a little differently: what is compared is seconds for each epoch of a trial, until the winner is
known: `tuner.search` alone, and our `search` with its workers' start. What ours then does besides, the winner's
training from zero on all images, judging and bundling, has a line of its own.
"""

import argparse
import os
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from measuring import Table
from tellapart import Dataset, Recipe
from tellapart.backend import load_keras
from tellapart.data.dataset import Split
from tellapart.data.splits.draw_splits import draw_splits
from tellapart.studies.search.search import search

UNITS, RATES = (256, 512, 32), (1e-2, 1e-3, 1e-4)
ASKED = 4


@dataclass(frozen=True)
class Side:
    """What one of the two did."""

    seconds: float
    """Until the winner was known."""
    trial_epochs: int
    trials: int
    best: float

    @property
    def each(self) -> float:
        """Seconds for each epoch of a trial."""
        return self.seconds / self.trial_epochs


def main() -> None:
    """Run both, ours first, and print them side by side."""
    options = _options()
    load_keras()
    dataset = _divided(Dataset.open("fashion-mnist"), options.images)
    with tempfile.TemporaryDirectory() as folder:
        ours = _ours(dataset, options, Path(folder) / "ours")
        theirs = _theirs(dataset, options, Path(folder) / "theirs")
    table = Table("side", "seconds", "trials", "trial-epochs", "s a trial-epoch", "best validation accuracy")
    for name, side in (("tellapart search", ours), ("KerasTuner Hyperband", theirs)):
        facts = (f"{side.seconds:.1f}", str(side.trials), str(side.trial_epochs), f"{side.each:.3f}")
        table.row(name, *facts, f"{side.best:.4f}")
    table.print()
    print(f"batch size of both: {options.batch_size}; our workers: {options.workers}")
    print(f"KerasTuner / tellapart, for each trial-epoch: {theirs.each / ours.each:.1f}   (asked: {ASKED})")
    print(f"KerasTuner / tellapart, in all: {theirs.seconds / ours.seconds:.1f}")


def _divided(dataset: Dataset, images: int) -> Dataset:
    """The data set with its validation split drawn, and where asked with only so many images to train on."""
    dataset = draw_splits(dataset, validation=5000 / 60000, test=0.1, seed=0)
    if not images:
        return dataset
    few = {name: split.take(range(min(images, len(split)))) for name, split in dataset.splits.items()}
    return Dataset(dataset.name, dataset.classes, few)


def _ours(dataset: Dataset, options: argparse.Namespace, folder: Path) -> Side:
    low, high, step = UNITS
    space = [f"units={low}:{high}:{step}", f"learning_rate={','.join(map(str, RATES))}"]
    recipe = Recipe(model="mlp", dropout=0.0, batch_size=options.batch_size)
    started = time.time()  # comparable with the time of a file
    found = search(
        dataset,
        recipe,
        space,
        out=folder,
        max_epochs=options.max_epochs,
        factor=options.factor,
        workers=options.workers,
    )
    seconds, further = (folder / "best.toml").stat().st_mtime - started, time.time() - started
    rows = [row for trial in found.trials for row in trial.history]
    accuracy = found.run.metrics["test"]["accuracy"]["value"]
    print(f"tellapart: winner known after {seconds:.1f} s, bundled after {further:.1f} s, on test {accuracy:.4f}")
    best = max(row.val_accuracy for row in rows if row.val_accuracy is not None)
    return Side(seconds, len(rows), len(found.trials), best)


def _theirs(dataset: Dataset, options: argparse.Namespace, folder: Path) -> Side:
    import keras
    import keras_tuner

    epochs: list[int] = []

    def build(choice: keras_tuner.HyperParameters) -> keras.Model:
        low, high, step = UNITS
        model = keras.Sequential(
            [
                keras.Input((28, 28)),
                keras.layers.Flatten(),
                keras.layers.Dense(choice.Int("units", low, high, step), activation="relu"),
                keras.layers.Dense(10),
            ]
        )
        rate = choice.Choice("learning_rate", list(RATES))
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(optimizer=keras.optimizers.Adam(rate), loss=loss, metrics=["accuracy"])
        return model

    tuner = keras_tuner.Hyperband(
        build,
        objective="val_accuracy",
        max_epochs=options.max_epochs,
        factor=options.factor,
        directory=folder,
        project_name="search",
        seed=0,
    )
    started = time.perf_counter()
    tuner.search(
        *_scaled(dataset.splits["train"]),
        validation_data=_scaled(dataset.splits["validation"]),
        batch_size=options.batch_size,
        callbacks=[keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, _: epochs.append(epoch))],
        verbose=0,
    )
    seconds = time.perf_counter() - started
    trials = list(tuner.oracle.trials.values())
    return Side(seconds, len(epochs), len(trials), max(trial.score for trial in trials if trial.score is not None))


def _scaled(split: Split) -> tuple[Any, Any]:
    array = np.stack([split.images.read(i)[..., 0] for i in range(len(split))])
    return array / 255.0, split.labels


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--max-epochs", type=int, default=10)
    parser.add_argument("--factor", type=int, default=3)
    parser.add_argument("--images", type=int, default=0, help="of each split; 0 for all")
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    return parser.parse_args()


if __name__ == "__main__":  # a worker imports this file again
    main()
