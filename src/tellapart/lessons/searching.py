"""Does a search do better when it gives up early? Hyperband against random search, at equal cost in epochs.

Sources: Bergstra and Bengio, Random search for hyper-parameter optimization (2012); Li et al., Hyperband (2018). That
searches are replayed from a table of trainings is the way of Klein and Hutter, Tabular benchmarks (2019).
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
"""A trial that gets an epoch, and which of its epochs that is, both from 0."""


def run(settings: Settings) -> Findings:
    """Train many trials to the end, then let both ways search among them, again and again, by what is in the table."""
    data = images("mnist", settings)
    train = data.train.take(slice(settings.of(500, small=200)))
    chooses, judges = data.test.take(slice(300)), data.test.take(slice(300, 1_300))
    epochs, trials, replays = settings.of(27, small=9), settings.of(60, small=24), settings.of(400, small=100)
    loss, right = table(train, chooses, judges, epochs, trials, settings.seed)

    plan, rng = brackets(epochs, FACTOR), np.random.default_rng(settings.seed)
    cost, first = trial_epochs(plan), trial_epochs(plan[:1])
    bands, randoms = [], []
    for _ in range(replays):
        bands.append(found(loss, right, hyperband(loss, plan, rng.permutation(trials))))
        randoms.append(found(loss, right, at_random(rng.permutation(trials), epochs, cost)))
    band, random = np.array(bands), np.array(randoms)  # float64 (replays, cost)
    searches = {"band": band, "random": random}
    early, end = (band - random)[:, first - 1], (band - random)[:, -1]
    results = {
        "data": data.name,
        "n": len(train),
        "chooses": len(chooses),
        "test": len(judges),
        "trials": trials,
        "replays": replays,
        "most": epochs,
        "cost": cost,
        "begun": trial_count(plan),
        "whole": cost // epochs,
        "first": first,
        "middle": float(np.median(right[:, -1])),
        **{f"{name}_first": float(each[:, first - 1].mean()) for name, each in searches.items()},
        **{f"{name}_end": float(each[:, -1].mean()) for name, each in searches.items()},
        "early": float(early.mean()),
        "early_error": float(Z * early.std(ddof=1) / np.sqrt(replays)),
        "end": float(end.mean()),
        "end_error": float(Z * end.std(ddof=1) / np.sqrt(replays)),
        "wins": float(np.mean(end > 0)),
        "losses": float(np.mean(end < 0)),
        "single": float(end.std(ddof=1)),
    }
    figure = marked(
        lines(f"in the end {results['band_end']:.1%} and {results['random_end']:.1%}",
              ("epochs spent", range(1, cost + 1)), "accuracy",
              {"Hyperband": band.mean(axis=0), "random search": random.mean(axis=0),
               "Hyperband, one in ten is below": np.quantile(band, 0.1, axis=0),
               "random search, one in ten is below": np.quantile(random, 0.1, axis=0)},
              range=[float(right.max()) - 0.3, float(right.max())], **PERCENT),
        {"first bracket ends": first},
    )  # fmt: skip
    caption = (
        f"How good the best trial found so far is on test images, against what was spent: the mean of {replays} "
        "searches, and the line that the unluckiest tenth stays below."
    )
    shares = [", then ".join(f"{rung.trials} to epoch {rung.epochs}" for rung in bracket) for bracket in plan]
    rows = tuple((str(number), share) for number, share in enumerate(shares, start=1))
    tables = {"How Hyperband shares out its epochs": Table(("bracket", "trials that are trained"), rows)}
    return Findings(results, (drawing("The best found against what was spent", caption, figure),), tables)


def table(train: Part, chooses: Part, judges: Part, epochs: int, trials: int, seed: int) -> tuple[Floats, Floats]:
    """Train every trial: its validation loss and test accuracy after each epoch, float64 (trials, epochs) each."""
    loss, right = np.zeros((2, trials, epochs))
    for number, values in enumerate(draw(parse_space(SPACE, Recipe(model="mlp")), trials, seed)):
        model = MLPClassifier(values["units"], learning_rate_init=values["learning_rate"],
                              batch_size=values["batch_size"], random_state=number)  # fmt: skip
        for epoch in range(epochs):
            model.partial_fit(train.pixels, train.labels, classes=np.arange(10))
            loss[number, epoch] = log_losses(chooses.labels, model.predict_proba(chooses.pixels)).mean()
            right[number, epoch] = model.score(judges.pixels, judges.labels)
    return loss, right


def hyperband(loss: Floats, plan: Sequence[Bracket], trials: NDArray[np.integer]) -> list[Visit]:
    """The epochs in the order in which Hyperband spends them: after each rung only the best trials go on."""
    spent, begun = [], 0
    for bracket in plan:
        racing, had = trials[begun : begun + bracket[0].trials].tolist(), 0
        for rung in bracket:
            if had:
                racing = best_first({trial: loss[trial, had - 1] for trial in racing})[: rung.trials]
            spent += [(trial, epoch) for trial in racing for epoch in range(had, rung.epochs)]
            had = rung.epochs
        begun += bracket[0].trials
    return spent


def at_random(trials: NDArray[np.integer], epochs: int, cost: int) -> list[Visit]:
    """The epochs of random search: one trial after the other to its end, until as many are spent."""
    return [(trial, epoch) for trial in trials.tolist() for epoch in range(epochs)][:cost]


def found(loss: Floats, right: Floats, spent: list[Visit]) -> Floats:
    """After each epoch spent the test accuracy of the trial and epoch with the least validation loss so far."""
    where = tuple(np.array(spent).T)
    seen, best = loss[where], np.minimum.accumulate(loss[where])
    at = np.maximum.accumulate(np.where(seen == best, np.arange(len(seen)), 0))
    accuracy: Floats = right[where][at]
    return accuracy


LESSON = Lesson(
    name="searching",
    question="Does a search find more when it gives up early on what looks bad?",
    needs="mnist",
    seconds=19,
    run=run,
    method="""
        How many units, which [learning rate], how many images in a batch? These [hyperparameters|hyperparameter]
        are chosen before training. [Random search|random search] draws them by lot and trains each trial to its end,
        here {most} [epochs|epoch]. [Hyperband] begins many trials, gives each few epochs, and lets only the best
        third of them go on, again and again; since some begin slowly and end well, it does so in several brackets,
        of which the later ones are more patient.

        We train {trials} trials on {n} images of {data} to their end and write down every epoch. Then {replays}
        times both ways search among them, in an order drawn by lot, for {cost} epochs each: that is {begun} trials
        begun by Hyperband, {whole} trained to the end by random search. {chooses} images choose the best trial;
        how good it is, {test:,} others say.""",
    outcome="""
        Trained to the end, half of the trials are worse than {middle:.1%}. After {first} epochs, when Hyperband's
        first bracket ends, it has found {band_first:.1%} on average, and random search {random_first:.1%}: a lead of
        {early:+.2%}, give or take {early_error:.2%} (a 95 % [confidence interval] for other draws among the same
        trials). After all {cost} epochs it is {band_end:.1%} and {random_end:.1%}, a lead of {end:+.2%}, give or take
        {end_error:.2%}.

        That is on average. Of single searches Hyperband ended better in {wins:.0%}, random search in {losses:.0%},
        and the [standard deviation] of the lead is {single:.2%}.""",
    claims=(
        Claim(
            "Hyperband is ahead while little is spent: by {early:+.2%}, give or take {early_error:.2%}, after {first} "
            "epochs.",
            lambda results: results["early"] > results["early_error"],
        ),
        Claim(
            "The lead melts: {end:+.2%} in the end, less than half of what it was.",
            lambda results: results["end"] < results["early"] / 2,
        ),
        Claim(
            "One search cannot tell which is better: the lead varies by {single:.2%}, more than its mean, {end:+.2%}.",
            lambda results: results["single"] > abs(results["end"]),
        ),
    ),
    conclusion="""
        Where many trials are bad from the start, to give up on them early finds a good one sooner: that is what
        Hyperband is for. With time for every trial it matters little who searches: a space of three hyperparameters
        has many good places. One search does not say which way is better, for chance decides more than the way does.
        `tellapart search` runs Hyperband, with brackets as in the table, and judges its winner on the test split.""",
    try_next="""
        Narrow the space to good learning rates, `learning_rate=1e-3:1e-2:log`, so that no trial is bad from the start.
        What is left of Hyperband's lead?""",
)
