"""How large should the steps of training be? Too small they get nowhere in time, too large they lead astray.

Sources: Bengio, Practical recommendations for gradient-based training of deep architectures (2012); the range test is
that of Smith, Cyclical learning rates for training neural networks (2017).
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
    """Find a rate by the range test, then train the same network at that rate and at six others."""
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
    *tried, with_found = histories(dataset, recipe, (*RATES, tested.recommended))

    ends = [history[-1].loss for history in tried]
    right = ends.index(min(ends))
    names = {"too small": 0, "right": right, "too large": len(RATES) - 1}
    results = {
        "data": data.name,
        "n": len(dataset.splits["train"]),
        "epochs": epochs,
        "rates": len(RATES),
        "small": RATES[0],
        "right": RATES[right],
        "large": RATES[-1],
        "small_first": tried[0][0].loss,
        "small_end": ends[0],
        "right_end": ends[right],
        "large_end": ends[-1],
        "guess": math.log(len(data.classes)),
        "steps": len(tested.rates),
        "found": tested.recommended,
        "found_end": with_found[-1].loss,
    }
    figures = (
        drawing(
            f"The loss at {len(names)} learning rates",
            "The lower the better; each step up is ten times as much. A rate too small falls too slowly, a rate too "
            "large does not come down at all.",
            lines(f"after {epochs} epochs {ends[0]:.2f}, {ends[right]:.2f} and {ends[-1]:.2f}",
                  ("epoch", range(1, epochs + 1)), "training loss (nats)",
                  {f"{name}: {RATES[which]:g}": [row.loss for row in tried[which]] for name, which in names.items()},
                  type="log"),
        ),
        drawing(
            "Where each learning rate ends",
            "The loss after the last epoch, at each rate: a valley, with rates too small to its left and rates "
            "too large to its right.",
            marked(lines(f"best at {RATES[right]:g}", ("learning rate", RATES), "training loss (nats)",
                             {"after the last epoch": ends}, across=POWERS | {"range": [-5.3, 0.3]}, type="log"),
                       {"found by find-rate": tested.recommended}),
        ),
        drawing(
            "The range test",
            "One short training in which each step is larger than the one before: the loss falls while the rate is "
            "right, and rises where it has become too large. The rate to take is well before that.",
            marked(lines(f"recommended: {tested.recommended:g}", ("learning rate", tested.rates), "loss (nats)",
                             {"loss, smoothed": tested.smoothed}, across=POWERS, rangemode="tozero"),
                       {"recommended": tested.recommended, "least": tested.least}),
        ),
    )  # fmt: skip
    rows = tuple(row_of(f"{rate:g}", history) for rate, history in zip(RATES, tried, strict=True))
    header = ("learning rate", "loss in the first epoch", "in the last", "validation accuracy")
    found = row_of(f"{tested.recommended:g}, found", with_found)
    return Findings(results, figures, {"All rates": Table(header, (*rows, found))})


def histories(dataset: Dataset, recipe: Recipe, rates: tuple[float, ...]) -> list[History]:
    """What tellapart notes of each epoch, at each rate."""
    wanted = ",".join(f"{rate:g}" for rate in dict.fromkeys(rates))
    with tempfile.TemporaryDirectory() as folder:
        done = sweep(dataset, recipe, [f"learning_rate={wanted}"], out=Path(folder) / "sweep")
    by_rate = {f"{trial.recipe.learning_rate:g}": trial.history for trial in done.trials}
    return [by_rate[f"{rate:g}"] for rate in rates]


def row_of(name: str, history: History) -> tuple[str, ...]:
    """A rate as a row of the table."""
    first, last = history[0], history[-1]
    return name, f"{first.loss:.3f}", f"{last.loss:.3f}", f"{last.val_accuracy or 0:.1%}"


LESSON = Lesson(
    name="learning-rate",
    question="How large should the learning rate be?",
    needs="fashion-mnist",
    seconds=8,
    run=run,
    method="""
        After each batch of images training takes a step that makes the [loss] smaller; the [learning rate] says how
        large a step. The same network, with one hidden layer, learns {n:,} images of {data} for {epochs}
        [epochs|epoch] at {rates} rates, each ten times the one before, from {small:g} to {large:g}. All begin with
        the same weights and see the images in the same order.

        Before that `tellapart lr-find` makes a [range test]: {steps} steps in all, each at a higher rate than the
        one before, while the loss is watched. The network also learns at the rate that this recommends.""",
    outcome="""
        At {small:g} the loss falls in every epoch, but slowly: it is {small_first:.2f} in the first and
        {small_end:.2f} in the last. At {right:g} it ends at {right_end:.3f}, the least. At {large:g} it ends at
        {large_end:.2f}; to give every class the same probability, without looking, costs {guess:.2f}. The steps are so
        large that each throws away what the others found.

        The range test recommends {found:g}, which ends at {found_end:.3f}.""",
    claims=(
        Claim(
            "Too small gets nowhere in time: {small_end:.2f} at {small:g}, {right_end:.3f} at {right:g}.",
            lambda results: results["small_end"] > 1.5 * results["right_end"],
        ),
        Claim(
            "Too small still learns: {small_first:.2f} in the first epoch, {small_end:.2f} in the last.",
            lambda results: results["small_end"] < results["small_first"],
        ),
        Claim(
            "Too large learns nothing: {large_end:.2f} at {large:g}, where guessing costs {guess:.2f}.",
            lambda results: results["large_end"] > 0.9 * results["guess"],
        ),
        Claim(
            "The range test finds a rate that learns: {found_end:.3f} at {found:g}, against {small_end:.2f} and "
            "{large_end:.2f} at the ends.",
            lambda results: results["found_end"] < 0.7 * min(results["small_end"], results["large_end"]),
        ),
    ),
    conclusion="""
        Look at the learning rate first: where it is wrong, nothing else can be judged. When in doubt take the smaller
        of two rates, for a rate too small still learns and one too large does not. `tellapart lr-find` takes
        seconds and says where to begin; `tellapart sweep --vary learning_rate=1e-4,1e-3,1e-2` tries the neighbours.
        The best rate belongs to its network, its images and its batch size: with another of these, look again.""",
    try_next="""
        Give the smallest rate ten times as many epochs, and the largest as well. Which of the two is mended by
        that?""",
)
