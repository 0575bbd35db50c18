"""Classical models, fitted on vectors: k nearest neighbours, a random forest, logistic regression."""

import time
import warnings
from itertools import pairwise

import numpy as np

from tellapart.data.dataset import Labels
from tellapart.errors import RecipeError, require
from tellapart.jobs import cores
from tellapart.models.classical.estimators import Estimator, Fitted, Forest, GraphEstimator, Vectors
from tellapart.models.graphs.estimator_graphs import linear_graph, voting_graph
from tellapart.models.resolved_recipe import EstimatorRecipe
from tellapart.progress import notify, progress

CHUNK_VECTORS = 64  # vectors: k-NN's training vectors are read from memory once for all of them
REGULARISATION = 20  # scikit-learn's C times how many numbers there are: logits then spread alike however many they sum
MAX_ITERATIONS = 300  # of logistic regression over its images, at most
TIMED_ITERATIONS = 3  # passes that are timed for the forecast
MIN_FORECAST_S = 1.0
ABSENT_LOGIT = -1e9  # the logit of a class without a single image


def fit_estimator(recipe: EstimatorRecipe, vectors: Vectors, labels: Labels, classes: int) -> Estimator:
    """Fit a recipe's knn, forest or logistic on vectors, float32 (n, width). Raises RecipeError.

    There may be more classes than the labels have: such a class gets probability 0. The seed repeats it exactly.
    """
    if recipe.model == "knn":
        return nearest_neighbours(vectors, labels, classes, neighbours=recipe.neighbours)
    if recipe.model == "forest":
        return random_forest(vectors, labels, classes, trees=recipe.trees, seed=recipe.seed)
    return logistic_regression(vectors, labels, classes)


def estimator_probabilities(estimator: Estimator, vectors: Vectors, *, label: str = "judging") -> Vectors:
    """The probabilities of some vectors: float32 (n, width) to float32 (n, classes)."""
    batches = (vectors[start : start + CHUNK_VECTORS] for start in range(0, len(vectors), CHUNK_VECTORS))
    answers = [np.empty((0, estimator.classes), np.float32)]
    with progress(label, len(vectors), "images") as advance:
        for rows in estimator.runner(CHUNK_VECTORS).run(batches):
            answers.append(rows)
            advance(len(rows))
    return np.concatenate(answers)


def nearest_neighbours(vectors: Vectors, labels: Labels, classes: int, *, neighbours: int) -> GraphEstimator:
    """As scikit-learn's KNeighborsClassifier(neighbours, weights="distance"): by one matrix product, in float32."""
    if neighbours > len(vectors):
        raise RecipeError(f"neighbours is {neighbours}, but there are {len(vectors)} training images: take fewer")
    return GraphEstimator(voting_graph(vectors, labels, classes, neighbours=neighbours))


def random_forest(vectors: Vectors, labels: Labels, classes: int, *, trees: int, seed: int) -> Forest:
    """Fit scikit-learn's RandomForestClassifier, some trees at a time: they are the same as if grown at once."""
    ensemble = require("sklearn.ensemble", extra="train")
    at_once = cores()
    model = ensemble.RandomForestClassifier(warm_start=True, n_jobs=at_once, random_state=seed)
    with progress("growing trees", trees, "trees") as advance:
        for before, after in pairwise([*range(0, trees, 4 * at_once), trees]):
            started = time.perf_counter()
            model.set_params(n_estimators=after).fit(vectors, labels)
            seconds = (time.perf_counter() - started) * trees / (after - before)
            if before == 0 and seconds > MIN_FORECAST_S:
                notify(f"forest: {trees} trees on {len(labels):,} images, about {seconds:,.0f} s")
            advance(after - before)
    return Forest(model, classes)


def logistic_regression(
    vectors: Vectors, labels: Labels, classes: int, *, passes: int = MAX_ITERATIONS
) -> GraphEstimator:
    """Fit scikit-learn's multinomial LogisticRegression on standardised numbers, in so many passes at most."""
    centre, scale = vectors.mean(axis=0, dtype=np.float64).astype(np.float32), _spread(vectors)
    slopes = np.zeros((classes, vectors.shape[1]), np.float32)
    offsets = np.full(classes, ABSENT_LOGIT, np.float32)
    known = np.unique(labels)
    offsets[known] = 0
    if len(known) > 1:
        model = _fitted_logistic((vectors - centre) / scale, labels, passes)
        own = known[-len(model.coef_) :]  # of two classes the first has no row: its logit is 0
        slopes[own], offsets[own] = model.coef_, model.intercept_
    return GraphEstimator(linear_graph(centre, scale, slopes, offsets))


def _spread(vectors: Vectors) -> Vectors:
    """Each number's standard deviation, float32 (width,), but no less than a quarter of their mean.

    A pixel at the edge, hardly ever drawn on, would else count a hundredfold in the first image that has it.
    """
    deviation = vectors.std(axis=0, dtype=np.float64)
    spread: Vectors = np.maximum(deviation, deviation.mean() / 4 or 1).astype(np.float32)
    return spread


def _fitted_logistic(vectors: Vectors, labels: Labels, passes: int) -> Fitted:
    fitting = require("sklearn.linear_model", extra="train").LogisticRegression
    with warnings.catch_warnings():
        # What would still change after so many passes is far below what the images can tell
        warnings.simplefilter("ignore", require("sklearn.exceptions", extra="train").ConvergenceWarning)
        strength = REGULARISATION / vectors.shape[1]
        started = time.perf_counter()
        fitting(C=strength, max_iter=TIMED_ITERATIONS).fit(vectors, labels)
        seconds = (time.perf_counter() - started) * passes / TIMED_ITERATIONS
        if seconds > MIN_FORECAST_S:
            notify(f"logistic: at most {passes} passes over {len(labels):,} images, at most {seconds:,.0f} s")
        return fitting(C=strength, max_iter=passes).fit(vectors, labels)
