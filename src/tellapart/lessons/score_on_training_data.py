"""Lesson: a score on the training images says nothing about new ones, because a model can memorize its images."""

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
    """Score four models on training and on test images, with correct labels and with shuffled labels."""
    data = images("mnist", settings)
    train, test = data.train.take(slice(settings.of(2_000, small=500))), data.test.take(slice(2_000))
    shuffled = np.random.default_rng(settings.seed).permutation(train.labels)  # as many of each class
    models = {
        "1 nearest neighbour": KNeighborsClassifier(1),
        "random forest": RandomForestClassifier(100, random_state=settings.seed),
        "logistic regression": LogisticRegression(C=0.1, max_iter=2_000),
        "tree of depth 4": DecisionTreeClassifier(max_depth=4, random_state=settings.seed),
    }
    training, testing, shuffled_training, shuffled_testing = [], [], [], []
    for model in models.values():
        model.fit(train.pixels, train.labels)
        training.append(float(model.score(train.pixels, train.labels)))
        testing.append(float(model.score(test.pixels, test.labels)))
        model.fit(train.pixels, shuffled)
        shuffled_training.append(float(model.score(train.pixels, shuffled)))
        shuffled_testing.append(float(model.score(test.pixels, test.labels)))

    interval = wilson(round(shuffled_testing[0] * len(test)), len(test))
    results = {
        "data": data.name,
        "n": len(train),
        "test": len(test),
        "neighbour_training": training[0],
        "neighbour_test": testing[0],
        "tree_training": training[-1],
        "tree_test": testing[-1],
        "shuffled_training": shuffled_training[0],
        "shuffled_test": shuffled_testing[0],
        "low": interval.low,
        "high": interval.high,
        "mean_shuffled_test": float(np.mean(shuffled_testing)),
    }
    figures = (
        drawing(
            "Correct labels",
            "Each model on its training images and on test images: the upper bars say little about the lower.",
            bars(f"the nearest neighbour: {training[0]:.1%} becomes {testing[0]:.1%}",
                 "accuracy", list(models), {"training": training, "test": testing}, form=".1%",
                 range=[0, 1], **PERCENT),
        ),
        drawing(
            "Shuffled labels",
            "The labels of the training images were shuffled, so that there is nothing to learn. Some models memorize "
            "them all the same; on test images, with correct labels, all of them guess.",
            bars(f"the nearest neighbour: {shuffled_training[0]:.1%} becomes {shuffled_testing[0]:.1%}",
                 "accuracy", list(models), {"training": shuffled_training, "test": shuffled_testing}, form=".1%",
                 range=[0, 1], **PERCENT),
        ),
    )  # fmt: skip
    return Findings(results, figures)


LESSON = Lesson(
    name="score-on-training-data",
    question="Why not evaluate a model on its training images?",
    needs="mnist",
    seconds=6,
    run=run,
    method="""
        Four models are trained on {n:,} images of {data}. Each is scored on those same images, the [training set], and
        on {test:,} test images. Then the labels of the training images are shuffled, so that they have nothing to do
        with the images, and the experiment is repeated.""",
    outcome="""
        The nearest neighbour is correct on {neighbour_training:.1%} of its training images: the image nearest to each
        is that image itself. On test images it is correct on {neighbour_test:.1%}. A [decision tree] of depth 4, which
        is too small to memorize the images, scores {tree_training:.1%} and {tree_test:.1%}.

        With shuffled labels the nearest neighbour still scores {shuffled_training:.1%} on its training images, and
        {shuffled_test:.1%} on test images ({low:.1%} to {high:.1%}, a 95 % [confidence interval]): it guesses among
        ten classes.""",
    claims=(
        Claim("A model that memorizes looks perfect: it reproduces {shuffled_training:.1%} of shuffled labels.",
              lambda results: results["shuffled_training"] > 0.99),
        Claim("There was nothing to learn: the mean accuracy on test images is {mean_shuffled_test:.1%}, a guess.",
              lambda results: results["mean_shuffled_test"] < 0.16),
        Claim("The training score is too optimistic: {neighbour_training:.1%} becomes {neighbour_test:.1%} on test "
              "images.",
              lambda results: results["neighbour_training"] - results["neighbour_test"] > 0.01),
    ),
    conclusion="""
        A score on training images measures how much a model memorizes, not how much it learns. What matters is
        [generalization]: the performance on images that the model was not trained on.""",
    try_next="""
        Increase the number of neighbours from 1 to 5 and to 20. How does the score on training images with shuffled
        labels change, and why?""",
)  # fmt: skip
