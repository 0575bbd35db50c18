"""Lesson: the validation score of the best of many models is too optimistic, so a separate test set is needed."""

import numpy as np
from numpy.typing import NDArray

from tellapart.lessons.drawing import drawing, lines
from tellapart.lessons.images import Pixels, images
from tellapart.lessons.lesson import Claim, Findings, Lesson, Settings
from tellapart.text import points

COUNTS = (1, 2, 5, 10, 20, 50, 100)
PIXELS = 0.3  # the share of pixels that a candidate uses
VALIDATION = 100  # images


def run(settings: Settings) -> Findings:
    """Choose among more and more candidates on a few images, and evaluate the chosen one on others, many times."""
    data = images("digits", settings)
    rounds = settings.of(200, small=60)
    rng = np.random.default_rng(settings.seed)
    pixels, labels = data.test.pixels, data.test.labels

    # Each candidate has its own random pixels, like one of a hundred ideas to try.
    correct = np.stack([
        candidate_correct(data.train.pixels, data.train.labels, pixels, labels, rng) for _ in range(COUNTS[-1])
    ])  # fmt: skip
    validated, tested = np.zeros((2, rounds, len(COUNTS)))
    for number in range(rounds):
        order = rng.permutation(len(labels))
        validation, test = order[:VALIDATION], order[VALIDATION:]
        candidates = rng.permutation(len(correct))
        for column, count in enumerate(COUNTS):
            scores = correct[candidates[:count]][:, validation].mean(axis=1)
            winner = candidates[scores.argmax()]
            validated[number, column] = scores.max()
            tested[number, column] = correct[winner, test].mean()

    validation_mean, test_mean = validated.mean(axis=0), tested.mean(axis=0)
    gap = validated - tested
    results = {
        "data": data.name,
        "many": COUNTS[-1],
        "rounds": rounds,
        "validation": VALIDATION,
        "test": len(labels) - VALIDATION,
        "single_gap": float(gap[:, 0].mean()),
        "many_gap": float(gap[:, -1].mean()),
        "single_error": float(gap[:, 0].std(ddof=1) / np.sqrt(rounds)),
        "validated": float(validation_mean[-1]),
        "tested": float(test_mean[-1]),
        "tested_single": float(test_mean[0]),
        "optimistic": float(np.mean(gap[:, -1] > 0)),
    }
    figure = lines(
        f"too optimistic by {points(float(gap[:, -1].mean()), '.1f')}", ("candidates tried", COUNTS), "accuracy",
        {"validation": validation_mean, "test": test_mean},
        across={"type": "log", "tickvals": COUNTS}, tickformat=".0%",
    )  # fmt: skip
    caption = (
        "The more candidates are tried on the same validation images, the higher the best score there, and the further "
        "it is from the test accuracy: the distance between the lines is due to luck."
    )
    return Findings(results, (drawing("Validation and test accuracy of the best candidate", caption, figure),))


def candidate_correct(
    x: Pixels, labels: NDArray[np.integer], test_x: Pixels, test_labels: NDArray[np.integer], rng: np.random.Generator
) -> NDArray[np.bool_]:
    """Predict each test image with a candidate that uses some of the pixels; True where it is correct."""
    selected = rng.random(x.shape[1]) < PIXELS
    means = np.stack([x[labels == label][:, selected].mean(axis=0) for label in np.unique(labels)])
    distances = ((test_x[:, np.newaxis, selected] - means) ** 2).sum(axis=2)
    correct: NDArray[np.bool_] = distances.argmin(axis=1) == test_labels
    return correct


LESSON = Lesson(
    name="separate-test-set",
    question="Why use a separate test set when there is a validation set?",
    needs="digits",
    seconds=1,
    run=run,
    method="""
        We make {many} candidates: each compares images of {data} with the mean image of each class, but uses only some
        pixels, drawn at random. We choose the best one on {validation} images, the [validation set], and evaluate it
        on {test} others, a [test set]. We repeat this {rounds} times, each time with other validation images, and
        choose among 1 candidate, 2, 5 and so on.""",
    outcome="""
        With one candidate there is no choice, and the two scores agree: they differ by {single_gap:+.2p} on average.
        The best of {many} scores {validated:.1%} on the validation images that chose it and {tested:.1%} on the test
        images: {many_gap:.1p} less. Its validation score was too high in {optimistic:.0%} of {rounds} repetitions.""",
    claims=(
        Claim("Without a choice the score is not optimistic: {single_gap:+.2p}, less than three standard errors of "
              "{single_error:.2%}.",
              lambda results: abs(results["single_gap"]) < 3 * results["single_error"]),
        Claim("The validation score of the best of {many} is too high by more than 2 points: {many_gap:.1p}.",
              lambda results: results["many_gap"] > 0.02),
        Claim("Choosing still helps: the best of {many} has a test accuracy of {tested:.1%}, a single candidate "
              "{tested_single:.1%}.",
              lambda results: results["tested"] > results["tested_single"]),
    ),
    conclusion="""
        A score that was used to choose is too optimistic: among many candidates some are lucky, and choosing favours
        them. So choose a model on validation images, and evaluate it once on test images that had no part in any
        choice. If you look at the test score and then change something, it becomes a validation score. tellapart
        evaluates on the test split once, at the end, and counts every further use.""",
    try_next="""
        Choose on 400 images instead of {validation} (`VALIDATION`). How optimistic is the score of the best of {many}
        then?""",
)  # fmt: skip
