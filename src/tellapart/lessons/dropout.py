"""Lesson: dropout helps a large network that could memorize its few images, and harms a small one.

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
WRONG = 0.2  # the share of training labels that are redrawn at random: a large network can only memorize them
SMALL, LARGE = 16, 512  # units of the hidden layer
HEADER = ("trained on", "best epoch", "training loss", "validation loss", "validation accuracy")
Pair = tuple[History, History]
"""The histories of the same training without and with dropout."""


def run(settings: Settings) -> Findings:
    """Train a small and a large network on few images, and a large one on many, without and with dropout."""
    data = images("fashion-mnist", settings)
    few, many, epochs = settings.of(500, small=100), settings.of(5_000, small=900), settings.of(40, small=40)
    rate = 3e-3 if settings.small else 1e-3  # few images make too few steps for a lower rate
    recipe = Recipe(model="mlp", units=LARGE, epochs=epochs, patience=epochs, schedule="constant", learning_rate=rate,
                    batch_size=32, seed=settings.seed)  # fmt: skip
    small, large = pairs(data, few, recipe, [f"units={SMALL},{LARGE}"])
    (plenty,) = pairs(data, many, replace(recipe, epochs=settings.of(20, small=15), learning_rate=1e-3), [])
    situations = {
        f"{few} images, {LARGE} units": large,
        f"{few} images, {SMALL} units": small,
        f"{many:,} images, {LARGE} units": plenty,
    }

    plain, dropped = large
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
        "small_plain": val_loss(best(small[0])),
        "small_dropped": val_loss(best(small[1])),
        "plenty_plain": val_loss(plenty[0][-1]),
        "plenty_dropped": val_loss(plenty[1][-1]),
    }
    figures = (
        drawing(
            f"The loss with {LARGE} units and {few} images",
            "The lower the better. Without dropout the two lines diverge: the network memorizes its images. With "
            "dropout both fall more slowly and stay closer. The training loss with dropout is that of a network with "
            "half of its units missing, as in each step.",
            lines(f"finally {results['plain_end']:.2f} without, {results['dropped_end']:.2f} with",
                  ("epoch", range(1, epochs + 1)), "loss (nats)",
                  {f"{of}, {how} dropout": [row.loss if of == "training" else val_loss(row) for row in history]
                   for how, history in (("without", plain), ("with", dropped)) for of in ("validation", "training")},
                  rangemode="tozero"),
        ),
        drawing(
            "Where dropout helps and where it does not",
            "The validation loss after the last epoch, in each of three situations: shorter bars are better.",
            bars("three situations", "validation loss (nats)", list(situations),
                 {"without dropout": [val_loss(plain[-1]) for plain, _ in situations.values()],
                  "with dropout": [val_loss(dropped[-1]) for _, dropped in situations.values()]}, form=".3f"),
        ),
    )  # fmt: skip
    return Findings(results, figures, {"The best epoch of each training": Table(HEADER, tuple(rows_of(situations)))})


def pairs(data: Images, n: int, recipe: Recipe, vary: list[str]) -> list[Pair]:
    """Train on `n` images for each value of what varies, without and with dropout, and return the histories."""
    dataset = as_dataset(data.name, data.classes, train=mislabelled(data.train.take(slice(n)), recipe.seed),
                         validation=data.test.take(slice(400)), test=data.test.take(slice(400, None)))  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        trials = sweep(dataset, recipe, [*vary, f"dropout=0,{SHARE}"], out=Path(folder) / "sweep", grid=True).trials
    histories = [trial.history for trial in trials]
    return list(zip(histories[::2], histories[1::2], strict=True))


def mislabelled(part: Part, seed: int) -> Part:
    """Redraw some of the labels at random."""
    rng = np.random.default_rng(seed)
    random_labels = rng.permutation(part.labels)
    return Part(part.images, np.where(rng.random(len(part)) < WRONG, random_labels, part.labels))


def val_loss(row: Epoch) -> float:
    """Return the validation loss of an epoch, in nats."""
    return float(row.val_loss or 0)


def best(history: History) -> Epoch:
    """Return the epoch with the lowest validation loss."""
    return min(history, key=val_loss)


def rows_of(situations: dict[str, Pair]) -> list[tuple[str, ...]]:
    """Format each situation as two rows of the table."""
    rows: list[tuple[str, ...]] = []
    for name, pair in situations.items():
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
        During training [dropout] sets each unit of a layer to zero with a probability of {share:.0%}, differently for
        every image, so that no unit can rely on certain others; for prediction all units are active. As in many data
        sets, some labels are wrong: we redraw {wrong:.0%} of the training labels at random. A large network, with
        {large} units in its hidden layer, and a small one, with {small}, are trained on {few} images of {data} for
        {epochs} [epochs|epoch], without and with dropout, and the large one on {many:,} images as well. We watch the
        [loss] on a [validation set] with correct labels.""",
    outcome="""
        Many units and few images: without dropout the validation loss is lowest after epoch {plain_epoch}, at
        {plain_best:.3f}, and ends at {plain_end:.3f}, {plain_gap:.3f} above the training loss: the network is
        [overfitting]. With dropout it is lowest after epoch {dropped_epoch}, at {dropped_best:.3f}, and ends at
        {dropped_end:.3f}, {dropped_gap:.3f} above the training loss.

        Many units and many images: the validation loss ends at {plenty_plain:.3f} without and {plenty_dropped:.3f}
        with dropout. Few units and few images: at the best epoch it is {small_plain:.3f} without and
        {small_dropped:.3f} with dropout. A small network needs all of its units.""",
    claims=(
        Claim("With {few} images and {large} units dropout reduces overfitting: the final validation loss is "
              "{dropped_end:.3f} with it, {plain_end:.3f} without.",
              lambda results: results["dropped_end"] < results["plain_end"]),
        Claim("It narrows the gap between validation and training loss: {dropped_gap:.3f} instead of {plain_gap:.3f}.",
              lambda results: results["dropped_gap"] < results["plain_gap"]),
        Claim("It needs more epochs: the best is epoch {dropped_epoch} instead of {plain_epoch}.",
              lambda results: results["dropped_epoch"] > results["plain_epoch"]),
        Claim("With {small} units it harms: {small_dropped:.3f} at the best epoch, {small_plain:.3f} without.",
              lambda results: results["small_dropped"] > 1.05 * results["small_plain"]),
    ),
    conclusion="""
        Dropout counteracts overfitting, and harms where there is none, so compare training and validation loss first.
        Where they diverge, try it: `tellapart sweep --vary dropout=0,0.2,0.5`. Much of its gain is that long training
        does less harm; with the best epoch kept, as tellapart does, the gain is smaller. The training score is that of
        a thinned network, and may therefore be worse than the validation score.""",
    try_next="""
        Set `WRONG` to 0. How much of the gain is left when there is less to memorize? And how does a `SHARE` of 0.8
        change it?""",
)  # fmt: skip
