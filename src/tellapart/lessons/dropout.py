"""When does dropout help? Where a large network could learn its few images by heart; elsewhere it is a burden.

Source: Srivastava, Hinton, Krizhevsky, Sutskever and Salakhutdinov, Dropout: a simple way to prevent neural networks
from overfitting (2014).
"""

import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np

from tellapart import Recipe, sweep
from tellapart.lessons.drawing import bars, drawing, lines
from tellapart.lessons.images import Images, Part, as_dataset, images
from tellapart.lessons.lesson import Claim, Findings, Lesson, Settings
from tellapart.reports.report import Table
from tellapart.training.fitting.checkpoints import Epoch, History

SHARE = 0.5
WRONG = 0.2  # the share of training labels that are drawn by lot: what a large network can only learn by heart
SMALL, LARGE = 16, 512  # units of the hidden layer
HEADER = ("trained on", "best epoch", "training loss", "validation loss", "validation accuracy")
Pair = tuple[History, History]
"""The same training without dropout and with it."""


def run(settings: Settings) -> Findings:
    """Train a small and a large network on few images, and a large one on many, without dropout and with it."""
    data = images("fashion-mnist", settings)
    few, many, epochs = settings.of(500, small=100), settings.of(5_000, small=900), settings.of(40, small=40)
    rate = 3e-3 if settings.small else 1e-3  # so few images are too few steps for a lower one
    recipe = Recipe(model="mlp", units=LARGE, epochs=epochs, patience=epochs, schedule="constant", learning_rate=rate,
                    batch_size=32, seed=settings.seed)  # fmt: skip
    tight, at_risk = pairs(data, few, recipe, [f"units={SMALL},{LARGE}"])
    (easy,) = pairs(data, many, replace(recipe, epochs=settings.of(20, small=15), learning_rate=1e-3), [])
    tried = {
        f"{few} images, {LARGE} units": at_risk,
        f"{few} images, {SMALL} units": tight,
        f"{many:,} images, {LARGE} units": easy,
    }

    plain, dropped = at_risk
    results = {
        "data": data.name,
        "few": few,
        "many": many,
        "epochs": epochs,
        "share": SHARE,
        "wrong": WRONG,
        "small": SMALL,
        "large": LARGE,
        "plain_end": val_loss(plain[-1]),
        "dropped_end": val_loss(dropped[-1]),
        "plain_best": val_loss(best(plain)),
        "dropped_best": val_loss(best(dropped)),
        "plain_epoch": best(plain).epoch,
        "dropped_epoch": best(dropped).epoch,
        "plain_gap": val_loss(plain[-1]) - plain[-1].loss,
        "dropped_gap": val_loss(dropped[-1]) - dropped[-1].loss,
        "tight_plain": val_loss(best(tight[0])),
        "tight_dropped": val_loss(best(tight[1])),
        "easy_plain": val_loss(easy[0][-1]),
        "easy_dropped": val_loss(easy[1][-1]),
    }
    figures = (
        drawing(
            f"The loss of {LARGE} units that learn {few} images",
            "The lower the better. Without dropout the two lines part: the network learns its images by heart. With "
            "dropout both fall more slowly and stay closer; its training line is of a network with half of its units "
            "missing, as each step sees it.",
            lines(f"in the end {results['plain_end']:.2f} without, {results['dropped_end']:.2f} with",
                  ("epoch", range(1, epochs + 1)), "loss (nats)",
                  {f"{of}, {how} dropout": [row.loss if of == "training" else val_loss(row) for row in history]
                   for how, history in (("without", plain), ("with", dropped)) for of in ("validation", "training")},
                  rangemode="tozero"),
        ),
        drawing(
            "Where dropout helps and where it does not",
            "The validation loss in the end, in each of three situations: the shorter bar is the better.",
            bars("units to spare, or none", "validation loss (nats)", list(tried),
                 {"without dropout": [val_loss(one[-1]) for one, _ in tried.values()],
                  "with dropout": [val_loss(one[-1]) for _, one in tried.values()]}, form=".3f"),
        ),
    )  # fmt: skip
    return Findings(results, figures, {"At the best epoch of each": Table(HEADER, tuple(rows_of(tried)))})


def pairs(data: Images, n: int, recipe: Recipe, vary: list[str]) -> list[Pair]:
    """What tellapart notes of each epoch, for each value of what varies, learning from so many images."""
    dataset = as_dataset(data.name, data.classes, train=mislabelled(data.train.take(slice(n)), recipe.seed),
                         validation=data.test.take(slice(400)), test=data.test.take(slice(400, None)))  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        done = sweep(dataset, recipe, [*vary, f"dropout=0,{SHARE}"], out=Path(folder) / "sweep", grid=True)
    every = [trial.history for trial in done.trials]
    return list(zip(every[::2], every[1::2], strict=True))


def mislabelled(part: Part, seed: int) -> Part:
    """The same images with some of their labels drawn by lot."""
    rng = np.random.default_rng(seed)
    lots = rng.permutation(part.labels)
    return Part(part.images, np.where(rng.random(len(part)) < WRONG, lots, part.labels))


def val_loss(row: Epoch) -> float:
    """The loss on validation images after an epoch, in nats."""
    return float(row.val_loss or 0)


def best(history: History) -> Epoch:
    """The epoch at which it is least."""
    return min(history, key=val_loss)


def rows_of(tried: dict[str, Pair]) -> list[tuple[str, ...]]:
    """Each situation as two rows of the table."""
    rows: list[tuple[str, ...]] = []
    for name, pair in tried.items():
        for how, row in zip(("without", "with"), map(best, pair), strict=True):
            losses = (f"{row.loss:.3f}", f"{val_loss(row):.3f}")
            rows.append((f"{name}, {how}", str(row.epoch), *losses, f"{row.val_accuracy or 0:.1%}"))
    return rows


LESSON = Lesson(
    name="dropout",
    question="When does dropout help, and what does it cost?",
    needs="fashion-mnist",
    seconds=14,
    run=run,
    method="""
        While a network trains, [dropout] leaves out each unit of a layer with a chance of {share:.0%}, drawn anew for
        every image, so that no unit can rely upon certain others; when the network answers, all are there. As in
        many collections some labels are wrong: we draw {wrong:.0%} of those to learn from by lot. A large network, of
        {large} units in its hidden layer, and a small one, of {small}, learn {few} images of {data} for {epochs}
        [epochs|epoch], without dropout and with it, and the large one learns {many:,} images as well. The [loss] on
        a [validation set] with right labels is watched.""",
    outcome="""
        Many units and few images: without dropout validation loss is least after epoch {plain_epoch}, at
        {plain_best:.3f}, and {plain_end:.3f} in the end, {plain_gap:.3f} above the training loss: the network is
        [over-fitting]. With dropout it is least after epoch {dropped_epoch}, at {dropped_best:.3f}, and
        {dropped_end:.3f} in the end, {dropped_gap:.3f} above the training loss.

        Many units and many images: {easy_plain:.3f} without and {easy_dropped:.3f} with dropout in the end. Few
        units and few images: at the best epoch {tight_plain:.3f} without and {tight_dropped:.3f} with dropout. A
        network that has no unit to spare cannot do without half of them.""",
    claims=(
        Claim(
            "With {few} images and {large} units dropout holds over-fitting back: in the end validation loss is "
            "{dropped_end:.3f} with it, {plain_end:.3f} without.",
            lambda results: results["dropped_end"] < results["plain_end"],
        ),
        Claim(
            "It narrows the gap between validation and training loss: {dropped_gap:.3f}, not {plain_gap:.3f}.",
            lambda results: results["dropped_gap"] < results["plain_gap"],
        ),
        Claim(
            "It costs epochs: the best is number {dropped_epoch}, not {plain_epoch}.",
            lambda results: results["dropped_epoch"] > results["plain_epoch"],
        ),
        Claim(
            "With {small} units it harms: {tight_dropped:.3f} at the best epoch, {tight_plain:.3f} without.",
            lambda results: results["tight_dropped"] > 1.05 * results["tight_plain"],
        ),
    ),
    conclusion="""
        Dropout is a remedy against over-fitting, and a burden where there is none: compare training and validation
        loss first. Where they part, try it: `tellapart sweep --vary dropout=0,0.2,0.5`. Much of its gain is that a long
        training does less harm; who keeps the best epoch, as tellapart does, gains less. The training score is that of
        a thinned network, and may therefore be worse than the validation score: that is no mistake.""",
    try_next="""
        Set `WRONG` to 0. What is left of the gain when there is less to learn by heart? And what does a `SHARE` of 0.8
        change?""",
)
