"""Lesson: stopping bad trials early finds good ones sooner; with enough epochs random search does as well.

Sources: Bergstra and Bengio, Random search for hyper-parameter optimization (2012); Li et al., Hyperband (2018). Klein
and Hutter, Tabular benchmarks (2019), for replaying searches from a table of trainings.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.neural_network import MLPClassifier

from tellapart import Recipe
from tellapart.judging.intervals import Z
from tellapart.judging.metrics import log_losses
from tellapart.lessons.drawing import PERCENT, drawing, lines, marked
from tellapart.lessons.images import Part, images
from tellapart.lessons.lesson import Claim, Findings, Lesson, Settings
from tellapart.reports.report import Table
from tellapart.studies.search.hyperband import Bracket, best_first, brackets, trial_count, trial_epochs
from tellapart.studies.search.space import draw, parse_space

SPACE = ("learning_rate=1e-5:1e-1:log", "units=8:128:log", "batch_size=16,32,64")
FACTOR = 3

Floats = NDArray[np.float64]
Visit = tuple[int, int]
"""A trial and one of its epochs, both from 0."""


def run(settings: Settings) -> Findings:
    """Train many trials to the end, then replay both searches many times from the table of their results."""
    data = images("mnist", settings)
    train = data.train.take(slice(settings.of(500, small=200)))
    validation, test = data.test.take(slice(300)), data.test.take(slice(300, 1_300))
    epochs, trials, replays = settings.of(27, small=9), settings.of(60, small=24), settings.of(400, small=100)
    loss, accuracy = table(train, validation, test, epochs, trials, settings.seed)

    plan, rng = brackets(epochs, FACTOR), np.random.default_rng(settings.seed)
    cost, first = trial_epochs(plan), trial_epochs(plan[:1])
    hyperbands, randoms = [], []
    for _ in range(replays):
        hyperbands.append(best_found(loss, accuracy, hyperband(loss, plan, rng.permutation(trials))))
        randoms.append(best_found(loss, accuracy, at_random(rng.permutation(trials), epochs, cost)))
    band, random = np.array(hyperbands), np.array(randoms)  # float64 (replays, cost)
    searches = {"band": band, "random": random}
    early, end = (band - random)[:, first - 1], (band - random)[:, -1]
    results = {
        "data": data.name,
        "n": len(train),
        "validation": len(validation),
        "test": len(test),
        "trials": trials,
        "replays": replays,
        "epochs": epochs,
        "cost": cost,
        "started": trial_count(plan),
        "whole": cost // epochs,
        "first": first,
        "median": float(np.median(accuracy[:, -1])),
        **{f"{name}_first": float(scores[:, first - 1].mean()) for name, scores in searches.items()},
        **{f"{name}_end": float(scores[:, -1].mean()) for name, scores in searches.items()},
        "early": float(early.mean()),
        "early_error": float(Z * early.std(ddof=1) / np.sqrt(replays)),
        "end": float(end.mean()),
        "end_error": float(Z * end.std(ddof=1) / np.sqrt(replays)),
        "wins": float(np.mean(end > 0)),
        "losses": float(np.mean(end < 0)),
        "spread": float(end.std(ddof=1)),
    }
    figure = marked(
        lines(f"finally {results['band_end']:.1%} and {results['random_end']:.1%}",
              ("epochs spent", range(1, cost + 1)), "accuracy",
              {"Hyperband": band.mean(axis=0), "random search": random.mean(axis=0),
               "Hyperband, worst tenth": np.quantile(band, 0.1, axis=0),
               "random search, worst tenth": np.quantile(random, 0.1, axis=0)},
              range=[float(accuracy.max()) - 0.3, float(accuracy.max())], **PERCENT),
        {"first bracket ends": first},
    )  # fmt: skip
    caption = (
        f"The test accuracy of the best trial so far, by epochs spent: the mean of {replays} searches, and the line "
        "below which the worst tenth of them stays."
    )
    plans = [", then ".join(f"{rung.trials} to epoch {rung.epochs}" for rung in bracket) for bracket in plan]
    rows = tuple((str(number), text) for number, text in enumerate(plans, start=1))
    tables = {"Hyperband's brackets": Table(("bracket", "trials"), rows)}
    return Findings(results, (drawing("Best accuracy by epochs spent", caption, figure),), tables)


def table(train: Part, validation: Part, test: Part, epochs: int, trials: int, seed: int) -> tuple[Floats, Floats]:
    """Train every trial, and return validation losses and test accuracies: float64 (trials, epochs) each."""
    loss, accuracy = np.zeros((2, trials, epochs))
    for number, values in enumerate(draw(parse_space(SPACE, Recipe(model="mlp")), trials, seed)):
        model = MLPClassifier(values["units"], learning_rate_init=values["learning_rate"],
                              batch_size=values["batch_size"], random_state=number)  # fmt: skip
        for epoch in range(epochs):
            model.partial_fit(train.pixels, train.labels, classes=np.arange(10))
            loss[number, epoch] = log_losses(validation.labels, model.predict_proba(validation.pixels)).mean()
            accuracy[number, epoch] = model.score(test.pixels, test.labels)
    return loss, accuracy


def hyperband(loss: Floats, plan: Sequence[Bracket], trials: NDArray[np.integer]) -> list[Visit]:
    """Return the epochs in the order in which Hyperband spends them: after each rung only the best trials continue."""
    spent, started = [], 0
    for bracket in plan:
        active, trained = trials[started : started + bracket[0].trials].tolist(), 0
        for rung in bracket:
            if trained:
                active = best_first({trial: loss[trial, trained - 1] for trial in active})[: rung.trials]
            spent += [(trial, epoch) for trial in active for epoch in range(trained, rung.epochs)]
            trained = rung.epochs
        started += bracket[0].trials
    return spent


def at_random(trials: NDArray[np.integer], epochs: int, cost: int) -> list[Visit]:
    """Return the epochs of random search: one trial after the other to its end, until `cost` epochs are spent."""
    return [(trial, epoch) for trial in trials.tolist() for epoch in range(epochs)][:cost]


def best_found(loss: Floats, accuracy: Floats, spent: list[Visit]) -> Floats:
    """Return, after each epoch spent, the test accuracy of the trial with the lowest validation loss so far."""
    indices = tuple(np.array(spent).T)
    losses, lowest = loss[indices], np.minimum.accumulate(loss[indices])
    best = np.maximum.accumulate(np.where(losses == lowest, np.arange(len(losses)), 0))
    best_accuracy: Floats = accuracy[indices][best]
    return best_accuracy


LESSON = Lesson(
    name="searching",
    question="Does a search find better settings when it stops bad trials early?",
    needs="mnist",
    seconds=19,
    run=run,
    method="""
        The number of units, the [learning rate] and the batch size are [hyperparameters|hyperparameter], chosen before
        training. [Random search|random search] draws them at random and trains each trial to its end, here {epochs}
        [epochs|epoch]. [Hyperband] starts many trials, trains each for few epochs, and lets only the best third
        continue, again and again; since some trials start slowly and end well, it does so in several brackets, of
        which the later ones are more patient.

        We train {trials} trials on {n} images of {data} to their end and record every epoch. Then both methods search
        among them {replays} times, in random order, for {cost} epochs each: that is {started} trials started by
        Hyperband, {whole} trained to the end by random search. {validation} validation images choose the best trial;
        {test:,} test images measure its accuracy.""",
    outcome="""
        Trained to the end, half of the trials are worse than {median:.1%}. After {first} epochs, when Hyperband's
        first bracket ends, it has found {band_first:.1%} on average, and random search {random_first:.1%}: a lead of
        {early:+.2p} ± {early_error:.2p} (a 95 % [confidence interval] over random orders of the same trials). After
        all {cost} epochs the accuracies are {band_end:.1%} and {random_end:.1%}, a lead of {end:+.2p} ±
        {end_error:.2%}.

        These are averages. Hyperband ended better in {wins:.0%} of the searches, random search in {losses:.0%}, and
        the [standard deviation] of the lead is {spread:.2p}.""",
    claims=(
        Claim("Hyperband leads while few epochs are spent: by {early:+.2p} ± {early_error:.2p} after {first} epochs.",
              lambda results: results["early"] > results["early_error"]),
        Claim("The lead shrinks: to {end:+.2p} after the last epoch, less than half of what it was.",
              lambda results: results["end"] < results["early"] / 2),
        Claim("One search cannot show which is better: the lead varies by {spread:.2p}, more than its mean, "
              "{end:+.2p}.",
              lambda results: results["spread"] > abs(results["end"])),
    ),
    conclusion="""
        Where many trials are bad from the start, stopping them early finds a good one sooner: that is the purpose of
        Hyperband. With time for every trial the method matters little: a space of three hyperparameters has many good
        points. A single search does not show which method is better, since chance matters more than the method.
        `tellapart search` runs Hyperband, with brackets as in the table, and evaluates the winner on the test
        split.""",
    try_next="""
        Restrict the space to good learning rates, `learning_rate=1e-3:1e-2:log`, so that no trial is bad from the
        start. How much of Hyperband's lead remains?""",
)  # fmt: skip
