"""Lesson: stop training when the validation loss stops improving; the best validation score is then too optimistic.

Source: Prechelt, Early stopping - but when? (1998); its criterion UP corresponds to patience.
"""

import numpy as np
from numpy.typing import NDArray
from sklearn.neural_network import MLPClassifier

from tellapart.judging.metrics import log_losses
from tellapart.lessons.drawing import PERCENT, drawing, lines, marked
from tellapart.lessons.images import Part, images
from tellapart.lessons.lesson import Claim, Findings, Lesson, Settings
from tellapart.text import points

PATIENCE = 5  # epochs without improvement, tellapart's default
VALIDATION = 100  # images

Floats = NDArray[np.float64]


def run(settings: Settings) -> Findings:
    """Train for too long, evaluate each epoch on many images, and decide by a hundred of them when to stop."""
    data = images("fashion-mnist", settings)
    few, epochs, trainings, draws = settings.of(500, small=60), 60, settings.of(6, small=4), 50
    rate = 1e-2 if settings.small else 1e-3  # few images make too few steps for a lower rate
    held_out, rng = data.test.take(slice(2_000)), np.random.default_rng(settings.seed)

    endings, curves, best_scores = [], [], []
    for _ in range(trainings):
        sample = data.train.take(rng.choice(len(data.train), few, replace=False))
        loss, correct = trained(sample, held_out, epochs, rate, seed=int(rng.integers(2**31)))
        for _ in range(draws):
            order = rng.permutation(len(held_out))
            validation, test = order[:VALIDATION], order[VALIDATION:]
            val_loss, test_loss = loss[:, validation].mean(axis=1), loss[:, test].mean(axis=1)
            val_accuracy, test_accuracy = correct[:, validation].mean(axis=1), correct[:, test].mean(axis=1)
            endings.append(ending(val_loss, test_loss, test_accuracy))
            curves.append((val_loss, test_loss))
            best_scores.append(best_so_far(val_accuracy, test_accuracy))

    means = {name: float(np.mean([values[name] for values in endings])) for name in endings[0]}
    validated, tested = np.mean(best_scores, axis=0)
    gaps = np.array([scores[0, -1] - scores[1, -1] for scores in best_scores])
    first_val, first_test = curves[0]
    best, stop = early(first_val)
    results = {
        "data": data.name,
        "few": few,
        "epochs": epochs,
        "trainings": trainings,
        "draws": len(endings),
        "validation": VALIDATION,
        "test": len(held_out) - VALIDATION,
        "patience": PATIENCE,
        **means,
        "saved": 1 - means["trained"] / epochs,
        "validated": float(validated[-1]),
        "tested": float(tested[-1]),
        "gap": float(gaps.mean()),
        "first_gap": float(validated[0] - tested[0]),
        "error": float(gaps.std(ddof=1) / np.sqrt(len(gaps))),
        "optimistic": float(np.mean(gaps > 0)),
    }
    along = ("epoch", range(1, epochs + 1))
    figures = (
        drawing(
            "Validation and test loss of one training",
            f"The loss on {VALIDATION} validation images and on {results['test']:,} test images. Training stops when "
            f"the validation loss has not decreased for {PATIENCE} epochs, and the epoch with the lowest is kept.",
            marked(lines(f"stopped after {stop} of {epochs} epochs", along, "loss (nats)",
                         {"validation": first_val, "test": first_test}),
                   {"kept": best, "stopped": stop}),
        ),
        drawing(
            "The best validation accuracy and its test accuracy",
            f"The mean over {len(endings)} draws. The more epochs there are to choose from, the more the best "
            "validation accuracy exceeds the test accuracy of the same epoch.",
            lines(f"too optimistic by {points(float(gaps.mean()), '.1f')}", ("epochs to choose from", along[1]),
                  "accuracy", {"validation": validated, "test": tested}, **PERCENT),
        ),
    )  # fmt: skip
    return Findings(results, figures)


def trained(part: Part, held_out: Part, epochs: int, rate: float, seed: int) -> tuple[Floats, Floats]:
    """Return the loss of each held-out image after each epoch, and 1 where it is correct: float64 (epochs, n) each."""
    model = MLPClassifier(256, learning_rate_init=rate, batch_size=32, random_state=seed)
    loss, correct = [], []
    for _ in range(epochs):
        model.partial_fit(part.pixels, part.labels, classes=np.arange(10))
        probs = model.predict_proba(held_out.pixels)
        loss.append(log_losses(held_out.labels, probs))
        correct.append((probs.argmax(axis=1) == held_out.labels).astype(np.float64))
    return np.array(loss), np.array(correct)


def ending(val_loss: Floats, test_loss: Floats, test_accuracy: Floats) -> dict[str, float]:
    """Evaluate each way to end a training on the test images."""
    best, stop = early(val_loss)
    return {
        "best": best,
        "trained": stop,
        "early_loss": test_loss[best - 1],
        "best_loss": test_loss[val_loss.argmin()],
        "last_loss": test_loss[-1],
        "early_accuracy": test_accuracy[best - 1],
        "last_accuracy": test_accuracy[-1],
    }


def early(val_loss: Floats) -> tuple[int, int]:
    """Return the epoch that is kept and the one after which training stops by patience, both from 1."""
    best = 0
    for epoch, loss in enumerate(val_loss):
        best = epoch if loss < val_loss[best] else best
        if epoch - best >= PATIENCE:
            break
    return best + 1, epoch + 1


def best_so_far(validated: Floats, tested: Floats) -> Floats:
    """Return the best validation score up to each epoch, and the test score of that epoch: float64 (2, epochs)."""
    best = [int(validated[: epoch + 1].argmax()) for epoch in range(len(validated))]
    return np.array([validated[best], tested[best]])


LESSON = Lesson(
    name="early-stopping",
    question="When should training end?",
    needs="fashion-mnist",
    seconds=10,
    run=run,
    method="""
        A network with one hidden layer of 256 units is trained on {few} images of {data} for {epochs} [epochs|epoch],
        far too long, {trainings} times on different images. After each epoch we evaluate it on many held-out images.
        Of these we draw {validation} at random as the [validation set], which decides when to stop; the other {test:,}
        are a [test set], which measures the result. We make {draws} draws in total.

        [Early stopping|early stopping] with a [patience] of {patience} ends the training when the validation [loss]
        has not decreased for {patience} epochs, and keeps the epoch with the lowest.""",
    outcome="""
        On average training stopped after {trained:.0f} epochs, which saves {saved:.0%}, and kept epoch {best:.0f}. The
        test loss is {early_loss:.3f} there and {last_loss:.3f} after the last epoch. Training to the end and keeping
        the best of all epochs gives {best_loss:.3f}. Test accuracy differs less: it is {early_accuracy:.1%} at the
        kept epoch, {last_accuracy:.1%} after the last.

        The best score is too optimistic, because it was chosen: the epoch with the best validation accuracy has
        {validated:.1%} there and {tested:.1%} on the test set, {gap:.1p} less. It was too high in {optimistic:.0%} of
        the draws. After one epoch, with nothing to choose, the two differ by {first_gap:+.1p}.""",
    claims=(
        Claim("The last epoch is not the best: its test loss is {last_loss:.3f}, that of the kept epoch "
              "{early_loss:.3f}.",
              lambda results: results["early_loss"] < 0.97 * results["last_loss"]),
        Claim("Early stopping saves more than a third of the epochs: {saved:.0%}.",
              lambda results: results["saved"] > 1 / 3),
        Claim("It costs little: {early_loss:.3f}, where the best of all epochs has {best_loss:.3f}.",
              lambda results: results["early_loss"] < 1.05 * results["best_loss"]),
        Claim("The best validation accuracy is too high by more than three standard errors of {error:.2p}: by "
              "{gap:.1p}.",
              lambda results: results["gap"] > 3 * results["error"]),
    ),
    conclusion="""
        Let validation images decide when to stop: it saves time, and a network that is trained for longer becomes
        overconfident. tellapart does this by default: `--patience {patience}` ends a training, and `--keep best` keeps
        the epoch with the lowest validation loss. But the validation images have been used to choose, so their score
        is too optimistic: report the score of the test split, evaluated once.""",
    try_next="""
        Let 1,000 images decide when to stop (`VALIDATION`). How optimistic is the score then, and is a better epoch
        found?""",
)  # fmt: skip
