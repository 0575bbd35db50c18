"""When should training end? When images it does not learn from say so; and what these say is a little too good.

Source: Prechelt, Early stopping - but when? (1998); its criterion UP is what is called patience here.
"""

import numpy as np
from numpy.typing import NDArray
from sklearn.neural_network import MLPClassifier

from tellapart.judging.metrics import log_losses
from tellapart.lessons.drawing import PERCENT, drawing, lines, marked
from tellapart.lessons.images import Part, images
from tellapart.lessons.lesson import Claim, Findings, Lesson, Settings

PATIENCE = 5  # epochs without improvement, as tellapart has it
VALIDATION = 100  # images that say when to stop

Floats = NDArray[np.float64]


def run(settings: Settings) -> Findings:
    """Train for far too long, note how each epoch does on many images, and let a hundred of them say when to stop."""
    data = images("fashion-mnist", settings)
    few, epochs, trainings, turns = settings.of(500, small=60), 60, settings.of(6, small=4), 50
    rate = 1e-2 if settings.small else 1e-3  # so few images are too few steps for a lower one
    judges, rng = data.test.take(slice(2_000)), np.random.default_rng(settings.seed)

    told, curves, looks = [], [], []
    for _ in range(trainings):
        some = data.train.take(rng.choice(len(data.train), few, replace=False))
        loss, right = trained(some, judges, epochs, rate, seed=int(rng.integers(2**31)))
        for _ in range(turns):
            order = rng.permutation(len(judges))
            chooses, others = order[:VALIDATION], order[VALIDATION:]
            seen, true = loss[:, chooses].mean(axis=1), loss[:, others].mean(axis=1)
            seen_right, true_right = right[:, chooses].mean(axis=1), right[:, others].mean(axis=1)
            told.append(ending(seen, true, true_right))
            curves.append((seen, true))
            looks.append(best_so_far(seen_right, true_right))

    means = {name: float(np.mean([one[name] for one in told])) for name in told[0]}
    promised, kept = np.mean(looks, axis=0)
    gaps = np.array([one[0, -1] - one[1, -1] for one in np.array(looks)])
    first_seen, first_true = curves[0]
    best, stop = early(first_seen)
    results = {
        "data": data.name,
        "few": few,
        "epochs": epochs,
        "trainings": trainings,
        "turns": len(told),
        "validation": VALIDATION,
        "test": len(judges) - VALIDATION,
        "patience": PATIENCE,
        **means,
        "saved": 1 - means["trained"] / epochs,
        "promised": float(promised[-1]),
        "right": float(kept[-1]),
        "gap": float(gaps.mean()),
        "first_gap": float(promised[0] - kept[0]),
        "error": float(gaps.std(ddof=1) / np.sqrt(len(gaps))),
        "fooled": float(np.mean(gaps > 0)),
    }
    along = ("epoch", range(1, epochs + 1))
    figures = (
        drawing(
            "One training, watched by validation images and by others",
            f"The loss on the {VALIDATION} images that choose, and on {results['test']:,} that do not. Training ends "
            f"where the first has not been lower for {PATIENCE} epochs, and the epoch at which it was least is kept.",
            marked(lines(f"stopped after {stop} of {epochs} epochs", along, "loss (nats)",
                         {"on the images that choose": first_seen, "on other images": first_true}),
                   {"kept": best, "ended": stop}),
        ),
        drawing(
            "What the best validation accuracy promises and what is kept",
            f"The mean over {len(told)} times. The more epochs one may choose from, the further the best score on the "
            "images that choose is from what that epoch does on others.",
            lines(f"promised too much: {results['gap']:.1%}", ("epochs to choose from", along[1]), "accuracy",
                  {"on the images that choose": promised, "on other images": kept}, **PERCENT),
        ),
    )  # fmt: skip
    return Findings(results, figures)


def trained(part: Part, judges: Part, epochs: int, rate: float, seed: int) -> tuple[Floats, Floats]:
    """The loss of each image after each epoch, and whether it is told right: float64 (epochs, n) each."""
    model = MLPClassifier(256, learning_rate_init=rate, batch_size=32, random_state=seed)
    loss, right = [], []
    for _ in range(epochs):
        model.partial_fit(part.pixels, part.labels, classes=np.arange(10))
        probs = model.predict_proba(judges.pixels)
        loss.append(log_losses(judges.labels, probs))
        right.append((probs.argmax(axis=1) == judges.labels).astype(np.float64))
    return np.array(loss), np.array(right)


def ending(seen: Floats, true: Floats, true_right: Floats) -> dict[str, float]:
    """What each way to end a training is worth on other images."""
    best, ended = early(seen)
    every = int(seen.argmin())
    return {
        "best": best,
        "trained": ended,
        "early_loss": true[best - 1],
        "every_loss": true[every],
        "last_loss": true[-1],
        "early_right": true_right[best - 1],
        "last_right": true_right[-1],
        "loss_promised": seen[best - 1],
    }


def early(seen: Floats) -> tuple[int, int]:
    """The epoch that is kept and the one after which training ends, from 1, when patience decides."""
    best = 0
    for epoch, loss in enumerate(seen):
        best = epoch if loss < seen[best] else best
        if epoch - best >= PATIENCE:
            break
    return best + 1, epoch + 1


def best_so_far(seen: Floats, true: Floats) -> Floats:
    """For each epoch the best score up to it, and what that epoch is worth on others: float64 (2, epochs)."""
    best = [int(seen[: epoch + 1].argmax()) for epoch in range(len(seen))]
    return np.array([seen[best], true[best]])


LESSON = Lesson(
    name="early-stopping",
    question="When should training end?",
    needs="fashion-mnist",
    seconds=10,
    run=run,
    method="""
        A network with one hidden layer of 256 units learns {few} images of {data} for {epochs} [epochs|epoch], far
        too long, {trainings} times with other images. After each epoch we note what it says of many new images.
        Of these we draw {validation} by lot, the [validation set], and let them say when to stop; the other {test:,}
        are a [test set], and say what that was worth. We draw {turns} times in all.

        [Early stopping|early stopping] with a [patience] of {patience} ends the training when validation [loss] has
        not been lower for {patience} epochs, and keeps the epoch at which it was least.""",
    outcome="""
        On average training ended after {trained:.0f} epochs, which saves {saved:.0%}, and kept epoch {best:.0f}. The
        test loss is {early_loss:.3f} there and {last_loss:.3f} after the last epoch. To train to the end and then
        keep the best epoch of all gives {every_loss:.3f}. Accuracy minds less: on test it
        is {early_right:.1%} at the kept epoch, {last_right:.1%} in the end.

        The best score is itself too good, for it was chosen: the epoch with the best validation accuracy has
        {promised:.1%} there and {right:.1%} on test, {gap:.1%} less. It promised too much {fooled:.0%} of the times.
        After one epoch, with nothing to choose, the two differ by {first_gap:+.1%}.""",
    claims=(
        Claim(
            "The last epoch is not the best: its test loss is {last_loss:.3f}, the kept epoch's {early_loss:.3f}.",
            lambda results: results["early_loss"] < 0.97 * results["last_loss"],
        ),
        Claim(
            "Stopping early saves more than a third of the epochs: {saved:.0%}.",
            lambda results: results["saved"] > 1 / 3,
        ),
        Claim(
            "It costs little: {early_loss:.3f}, where the best of all epochs has {every_loss:.3f}.",
            lambda results: results["early_loss"] < 1.05 * results["every_loss"],
        ),
        Claim(
            "The best validation accuracy promises too much, by more than three standard errors of {error:.2%}: "
            "{gap:.1%}.",
            lambda results: results["gap"] > 3 * results["error"],
        ),
    ),
    conclusion="""
        Let validation images say when to stop: it saves time, and the probabilities of a network that went on are
        too sure of themselves. tellapart does it unless told otherwise: `--patience {patience}` ends a training, and
        `--keep best` takes the epoch with the least validation loss. But these images have been used to choose, so
        their score is no longer honest: the number to tell others is that of the test split, opened once.""",
    try_next="""
        Let 1,000 images say when to stop (`VALIDATION`). How much is promised too much then, and is a better epoch
        found?""",
)
