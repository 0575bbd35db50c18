"""What is a score on the training images worth? Nothing: who learns by heart is always right."""

import numpy as np
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.tree import DecisionTreeClassifier

from tellapart.judging.intervals import wilson
from tellapart.lessons.drawing import PERCENT, bars, drawing
from tellapart.lessons.images import images
from tellapart.lessons.lesson import Claim, Findings, Lesson, Settings


def run(settings: Settings) -> Findings:
    """Score four models on the images they learned and on new ones, with right labels and with labels by lot."""
    data = images("mnist", settings)
    train, test = data.train.take(slice(settings.of(2_000, small=500))), data.test.take(slice(2_000))
    lots = np.random.default_rng(settings.seed).permutation(train.labels)  # as many of each class, but by chance
    models = {
        "1 nearest neighbour": KNeighborsClassifier(1),
        "random forest": RandomForestClassifier(100, random_state=settings.seed),
        "logistic regression": LogisticRegression(C=0.1, max_iter=2_000),
        "tree of 4 questions": DecisionTreeClassifier(max_depth=4, random_state=settings.seed),
    }
    learned, new, drilled, guessed = [], [], [], []
    for model in models.values():
        model.fit(train.pixels, train.labels)
        learned.append(float(model.score(train.pixels, train.labels)))
        new.append(float(model.score(test.pixels, test.labels)))
        model.fit(train.pixels, lots)
        drilled.append(float(model.score(train.pixels, lots)))
        guessed.append(float(model.score(test.pixels, test.labels)))

    chance = wilson(round(guessed[0] * len(test)), len(test))
    results = {
        "data": data.name,
        "n": len(train),
        "test": len(test),
        "neighbour_learned": learned[0],
        "neighbour_new": new[0],
        "tree_learned": learned[-1],
        "tree_new": new[-1],
        "drilled": drilled[0],
        "guessed": guessed[0],
        "low": chance.low,
        "high": chance.high,
        "mean_guessed": float(np.mean(guessed)),
    }
    figures = (
        drawing(
            "With the right labels",
            "Each model on the images it learned from and on new ones: the upper bars say little of the lower.",
            bars(f"the nearest neighbour: {learned[0]:.1%} becomes {new[0]:.1%}",
                 "accuracy", list(models), {"learned": learned, "new": new}, form=".1%",
                 range=[0, 1], **PERCENT),
        ),
        drawing(
            "With labels by lot",
            "The labels of the training images were shuffled, so that there is nothing to learn. Some models learn "
            "them by heart all the same; on new images, with their right labels, all guess.",
            bars(f"the nearest neighbour: {drilled[0]:.1%} becomes {guessed[0]:.1%}",
                 "accuracy", list(models), {"learned": drilled, "new": guessed}, form=".1%",
                 range=[0, 1], **PERCENT),
        ),
    )  # fmt: skip
    return Findings(results, figures)


LESSON = Lesson(
    name="score-on-training-data",
    question="Why not judge a model on the images it learned from?",
    needs="mnist",
    seconds=6,
    run=run,
    method="""
        Four models learn {n:,} images of {data}. Each is scored on those same images, the [training set], and on
        {test:,} new ones. Then the labels of the training images are shuffled, so that they say nothing of the
        images any more, and all is done again.""",
    outcome="""
        The nearest neighbour is right on {neighbour_learned:.1%} of the images it learned: the image nearest to
        each is that image itself. On new ones it is right on {neighbour_new:.1%}. A [decision tree] of 4 questions,
        which has no room to learn by heart, scores {tree_learned:.1%} and {tree_new:.1%}.

        With labels by lot the nearest neighbour still scores {drilled:.1%} on what it learned, and {guessed:.1%} on
        new images ({low:.1%} to {high:.1%}, a 95 % [confidence interval]): it guesses among ten classes.""",
    claims=(
        Claim(
            "Who learns by heart looks perfect: {drilled:.1%} of labels by lot are told as they were learned.",
            lambda results: results["drilled"] > 0.99,
        ),
        Claim(
            "There was nothing to learn: the models tell {mean_guessed:.1%} of new images right on average, a guess.",
            lambda results: results["mean_guessed"] < 0.16,
        ),
        Claim(
            "On learned images it promises too much: {neighbour_learned:.1%} is {neighbour_new:.1%} on new ones.",
            lambda results: results["neighbour_learned"] - results["neighbour_new"] > 0.01,
        ),
    ),
    conclusion="""
        A score on training images says how much a model remembers, not how much it understood. What counts is
        [generalisation]: how it does on images it has never seen.""",
    try_next="""
        Raise the neighbours that vote from 1 to 5 and to 20. What becomes of the score on learned images with
        labels by lot, and why?""",
)
