"""Lesson: a network trained too long improves on its training images and gets worse on all others."""

import tempfile
from pathlib import Path

from tellapart import Recipe, train
from tellapart.lessons.drawing import drawing, lines
from tellapart.lessons.images import Images, Part, as_dataset, images
from tellapart.lessons.lesson import Claim, Findings, Lesson, Settings
from tellapart.text import points
from tellapart.training.fitting.checkpoints import History, read_history


def run(settings: Settings) -> Findings:
    """Train the same network on few images and on many, for too long, and record its history."""
    data = images("fashion-mnist", settings)
    few, many = settings.of(500, small=60), settings.of(10_000, small=900)
    epochs = 60
    rate = 1e-2 if settings.small else 1e-3  # few images make too few steps for a lower rate
    short, long = (history(data, data.train.take(slice(n)), epochs, rate, settings.seed) for n in (few, many))

    losses = [float(row.val_loss or 0) for row in short]
    best = min(range(epochs), key=losses.__getitem__)
    gaps = [rows[-1].accuracy - float(rows[-1].val_accuracy or 0) for rows in (short, long)]
    results = {
        "data": data.name,
        "few": few,
        "many": many,
        "epochs": epochs,
        "best": best + 1,
        "best_loss": losses[best],
        "last_loss": losses[-1],
        "best_training_loss": short[best].loss,
        "last_training_loss": short[-1].loss,
        "training_accuracy": short[-1].accuracy,
        "few_gap": gaps[0],
        "many_gap": gaps[1],
    }
    along = ("epoch", range(1, epochs + 1))
    figures = (
        drawing(
            f"The loss with {few} training images",
            "The lower the better. The training loss decreases to the end; the validation loss rises once the network "
            "begins to memorize its images.",
            lines(f"best after epoch {best + 1} of {epochs}", along, "loss (nats)",
                  {"training": [row.loss for row in short], "validation": losses}, rangemode="tozero"),
        ),
        drawing(
            "The generalization gap with few and with many images",
            "Training accuracy minus validation accuracy. It begins below 0, since the training accuracy of an epoch "
            "includes its first steps.",
            lines(f"finally {points(gaps[0])} and {points(gaps[1])}", along, "gap (points)",
                  {f"{n:,} images": [100 * (row.accuracy - float(row.val_accuracy or 0)) for row in rows]
                   for n, rows in ((few, short), (many, long))}),
        ),
    )  # fmt: skip
    return Findings(results, figures)


def history(data: Images, part: Part, epochs: int, rate: float, seed: int) -> History:
    """Train a network without any regularization, and return its history."""
    validation, test = data.test.take(slice(400)), data.test.take(slice(400, None))
    dataset = as_dataset(data.name, data.classes, train=part, validation=validation, test=test)
    recipe = Recipe(model="mlp", units=256, dropout=0, epochs=epochs, patience=epochs, schedule="constant",
                    learning_rate=rate, batch_size=32, seed=seed)  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        return read_history(train(dataset, recipe, out=Path(folder) / "run").folder / "history.csv")


LESSON = Lesson(
    name="over-fitting",
    question="Can a network learn too long?",
    needs="fashion-mnist",
    seconds=19,
    run=run,
    method="""
        A network with one hidden layer of 256 units is trained on {few} images of {data}, for {epochs} [epochs|epoch],
        without any regularization. After each epoch we record its [loss] on these images and on others, the
        [validation set]. The same network is then trained on {many:,} images.""",
    outcome="""
        The training loss decreases to the end, from {best_training_loss:.3f} after epoch {best} to
        {last_training_loss:.3f}, where the training [accuracy] is {training_accuracy:.1%}. The validation loss is
        lowest after epoch {best}, at {best_loss:.3f}, and then rises to {last_loss:.3f}: the network is
        [overfitting].

        After the last epoch the training accuracy is {few_gap:.1p} higher than the validation accuracy. With {many:,}
        images this gap is {many_gap:.1p}.""",
    claims=(
        Claim("The validation loss rises again: {best_loss:.3f} after epoch {best}, {last_loss:.3f} after epoch "
              "{epochs}.",
              lambda results: results["best"] < results["epochs"]
              and results["last_loss"] > 1.02 * results["best_loss"]),
        Claim("The training loss does not: it decreases from {best_training_loss:.3f} to {last_training_loss:.3f}.",
              lambda results: results["last_training_loss"] < results["best_training_loss"]),
        Claim("More images narrow the gap: {few_gap:.1p} with {few}, {many_gap:.1p} with {many:,}.",
              lambda results: results["many_gap"] < results["few_gap"]),
    ),
    conclusion="""
        The training loss does not show when to stop; the validation loss does. [Early stopping|early stopping] keeps
        the epoch with the lowest validation loss, which is tellapart's default. More images help most against
        overfitting; augmentation and [dropout] come next.""",
    try_next="""
        Set `dropout=0.5` in the recipe. Does the validation loss still rise, and how low does it get?""",
)  # fmt: skip
