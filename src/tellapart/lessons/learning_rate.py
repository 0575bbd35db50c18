"""Lesson: with too small a learning rate training is too slow, with too large a rate the loss does not decrease.

Sources: Bengio, Practical recommendations for gradient-based training of deep architectures (2012); the range test:
Smith, Cyclical learning rates for training neural networks (2017).
"""

import math
import tempfile
from pathlib import Path

from tellapart import Dataset, Recipe, lr_find, sweep
from tellapart.lessons.drawing import drawing, lines, marked
from tellapart.lessons.images import as_dataset, images
from tellapart.lessons.lesson import Claim, Findings, Lesson, Settings
from tellapart.reports.report import Table
from tellapart.training.fitting.checkpoints import History

RATES = (1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0)
POWERS = {"type": "log", "exponentformat": "power", "dtick": 1}


def run(settings: Settings) -> Findings:
    """Recommend a rate by the range test, then train the same network at that rate and at six others."""
    data = images("fashion-mnist", settings)
    dataset = as_dataset(
        data.name, data.classes,
        train=data.train.take(slice(settings.of(5_000, small=600))),
        validation=data.test.take(slice(400)), test=data.test.take(slice(400, None)),
    )  # fmt: skip
    epochs = settings.of(10, small=20)
    recipe = Recipe(model="mlp", dropout=0.0, epochs=epochs, patience=epochs, schedule="constant", batch_size=32,
                    seed=settings.seed)  # fmt: skip
    tested = lr_find(dataset, recipe)
    *trained, at_recommended = histories(dataset, recipe, (*RATES, tested.recommended))

    ends = [history[-1].loss for history in trained]
    best = ends.index(min(ends))
    names = {"too small": 0, "best": best, "too large": len(RATES) - 1}
    results = {
        "data": data.name,
        "n": len(dataset.splits["train"]),
        "epochs": epochs,
        "rates": len(RATES),
        "small": RATES[0],
        "best": RATES[best],
        "large": RATES[-1],
        "small_first": trained[0][0].loss,
        "small_end": ends[0],
        "best_end": ends[best],
        "large_end": ends[-1],
        "guess": math.log(len(data.classes)),
        "steps": len(tested.rates),
        "recommended": tested.recommended,
        "recommended_end": at_recommended[-1].loss,
    }
    figures = (
        drawing(
            f"The loss at {len(names)} learning rates",
            "The lower the better; the axis is logarithmic. With too small a rate the loss decreases too slowly, with "
            "too large a rate not at all.",
            lines(f"after {epochs} epochs {ends[0]:.2f}, {ends[best]:.2f} and {ends[-1]:.2f}",
                  ("epoch", range(1, epochs + 1)), "training loss (nats)",
                  {f"{name}: {RATES[index]:g}": [row.loss for row in trained[index]] for name, index in names.items()},
                  type="log"),
        ),
        drawing(
            "The final loss at each learning rate",
            "The training loss after the last epoch: too high for rates that are too small, on the left, and for rates "
            "that are too large, on the right.",
            marked(lines(f"best at {RATES[best]:g}", ("learning rate", RATES), "training loss (nats)",
                             {"after the last epoch": ends}, across=POWERS | {"range": [-5.3, 0.3]}, type="log"),
                       {"recommended": tested.recommended}),
        ),
        drawing(
            "The range test",
            "A short training in which the learning rate grows at every step: the loss decreases while the rate is "
            "suitable, and rises once it is too large. The recommended rate is well below that.",
            marked(lines(f"recommended: {tested.recommended:g}", ("learning rate", tested.rates), "loss (nats)",
                             {"loss, smoothed": tested.smoothed}, across=POWERS, rangemode="tozero"),
                       {"recommended": tested.recommended, "least": tested.least}),
        ),
    )  # fmt: skip
    rows = tuple(row_of(f"{rate:g}", history) for rate, history in zip(RATES, trained, strict=True))
    header = ("learning rate", "loss in the first epoch", "in the last epoch", "validation accuracy")
    last = row_of(f"{tested.recommended:g}, recommended", at_recommended)
    return Findings(results, figures, {"All rates": Table(header, (*rows, last))})


def histories(dataset: Dataset, recipe: Recipe, rates: tuple[float, ...]) -> list[History]:
    """Train at each rate, and return the histories."""
    values = ",".join(f"{rate:g}" for rate in dict.fromkeys(rates))
    with tempfile.TemporaryDirectory() as folder:
        trials = sweep(dataset, recipe, [f"learning_rate={values}"], out=Path(folder) / "sweep").trials
    by_rate = {f"{trial.recipe.learning_rate:g}": trial.history for trial in trials}
    return [by_rate[f"{rate:g}"] for rate in rates]


def row_of(name: str, history: History) -> tuple[str, ...]:
    """Format a rate as a row of the table."""
    first, last = history[0], history[-1]
    return name, f"{first.loss:.3f}", f"{last.loss:.3f}", f"{last.val_accuracy or 0:.1%}"


LESSON = Lesson(
    name="learning-rate",
    question="How large should the learning rate be?",
    needs="fashion-mnist",
    seconds=8,
    run=run,
    method="""
        After each batch of images, training takes a step that decreases the [loss]; the [learning rate] is the size of
        that step. The same network, with one hidden layer, is trained on {n:,} images of {data} for {epochs}
        [epochs|epoch] at {rates} rates, each ten times the one before, from {small:g} to {large:g}. All start with the
        same weights and see the images in the same order.

        Before that, `tellapart lr-find` makes a [range test]: {steps} steps in total, each at a higher rate than the
        one before, while the loss is recorded. The network is also trained at the rate that this test recommends.""",
    outcome="""
        At {small:g} the loss decreases in every epoch, but slowly: from {small_first:.2f} in the first to
        {small_end:.2f} in the last. At {best:g} it ends lowest, at {best_end:.3f}. At {large:g} it ends at
        {large_end:.2f}; predicting the same probability for every class gives {guess:.2f}. Steps of that size undo the
        progress of earlier ones.

        The range test recommends {recommended:g}, which ends at {recommended_end:.3f}.""",
    claims=(
        Claim("Too small a rate is too slow: the loss is {small_end:.2f} at {small:g}, {best_end:.3f} at {best:g}.",
              lambda results: results["small_end"] > 1.5 * results["best_end"]),
        Claim("Too small a rate still learns: {small_first:.2f} in the first epoch, {small_end:.2f} in the last.",
              lambda results: results["small_end"] < results["small_first"]),
        Claim("Too large a rate learns nothing: {large_end:.2f} at {large:g}, where guessing gives {guess:.2f}.",
              lambda results: results["large_end"] > 0.9 * results["guess"]),
        Claim("The recommended rate learns: {recommended_end:.3f} at {recommended:g}, against {small_end:.2f} and "
              "{large_end:.2f} at the ends.",
              lambda results: results["recommended_end"] < 0.7 * min(results["small_end"], results["large_end"])),
    ),
    conclusion="""
        Tune the learning rate first: where it is wrong, no other setting can be judged. When in doubt take the smaller
        of two rates, since a rate that is too small still learns and one that is too large does not. `tellapart
        lr-find` takes seconds and recommends a start; `tellapart sweep --vary learning_rate=1e-4,1e-3,1e-2` tries its
        neighbours. The best rate depends on the network, the images and the batch size: when they change, search
        again.""",
    try_next="""
        Train at the smallest rate for ten times as many epochs, and at the largest as well. Which of the two reaches a
        low loss?""",
)  # fmt: skip
