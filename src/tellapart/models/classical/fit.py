"""Fitting of estimators on vectors: k nearest neighbours, random forest, logistic regression."""

import math
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise

import numpy as np

from tellapart.data.dataset import Labels
from tellapart.errors import RecipeError, require
from tellapart.jobs import cores
from tellapart.models.classical.estimators import Estimator, Fitted, Forest, GraphEstimator, Vectors
from tellapart.models.graphs.estimator_graphs import linear_graph, voting_graph
from tellapart.models.resolved_recipe import EstimatorRecipe
from tellapart.progress import notify, progress

CHUNK_VECTORS = 64  # for each chunk, k-NN reads its training vectors from memory once
REGULARISATION = (
    20  # scikit-learn's C times the number of features: logits then vary equally for any number of features
)
MAX_ITERATIONS = 300  # of logistic regression
TIMED_ITERATIONS = 3  # run first, to forecast the time
MIN_FORECAST_S = 1.0
ABSENT_LOGIT = -1e9  # the logit of a class without a single image
SCREENED_VECTORS = 256  # fitted first where time is limited and there are more classes, to forecast roughly
SCREENING_ERROR = 3  # a rough forecast may be so many times too long


class OverBudgetError(Exception):
    """Fitting is forecast to take `seconds`, longer than it may. Caught by the caller that set the limit."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"about {seconds:,.0f} s")
        self.seconds = seconds


def fit_estimator(recipe: EstimatorRecipe, vectors: Vectors, labels: Labels, classes: int) -> Estimator:
    """Fit a recipe's knn, forest or logistic on vectors, float32 (n, width). Raises RecipeError.

    Classes without labels get probability 0. The same seed gives the same estimator.
    """
    if recipe.model == "knn":
        return nearest_neighbours(vectors, labels, classes, neighbours=recipe.neighbours)
    if recipe.model == "forest":
        return random_forest(vectors, labels, classes, trees=recipe.trees, seed=recipe.seed)
    return logistic_regression(vectors, labels, classes)


def estimator_probabilities(estimator: Estimator, vectors: Vectors, *, label: str = "judging") -> Vectors:
    """Predict the probabilities of vectors: float32 (n, width) to float32 (n, classes)."""
    batches = (vectors[start : start + CHUNK_VECTORS] for start in range(0, len(vectors), CHUNK_VECTORS))
    probs = [np.empty((0, estimator.classes), np.float32)]
    with progress(label, len(vectors), "images") as advance:
        for rows in estimator.runner(CHUNK_VECTORS).run(batches):
            probs.append(rows)
            advance(len(rows))
    return np.concatenate(probs)


def nearest_neighbours(vectors: Vectors, labels: Labels, classes: int, *, neighbours: int) -> GraphEstimator:
    """Fit scikit-learn's KNeighborsClassifier(neighbours, weights="distance") as one matrix product, in float32."""
    if neighbours > len(vectors):
        raise RecipeError(f"neighbours is {neighbours}, but there are {len(vectors)} training images: take fewer")
    return GraphEstimator(voting_graph(vectors, labels, classes, neighbours=neighbours))


def random_forest(
    vectors: Vectors, labels: Labels, classes: int, *, trees: int, seed: int, limit_s: float = math.inf
) -> Forest:
    """Fit scikit-learn's RandomForestClassifier a few trees at a time, which gives the same trees.

    Raises OverBudgetError as soon as it is forecast to take longer than `limit_s`.
    """
    ensemble = require("sklearn.ensemble", extra="train")
    workers = cores()
    if math.isfinite(limit_s) and len(np.unique(labels)) > SCREENED_VECTORS:
        few = ensemble.RandomForestClassifier(workers, n_jobs=workers, random_state=seed)
        _screen(few.fit, vectors, labels, trees / workers, limit_s)
    model = ensemble.RandomForestClassifier(warm_start=True, n_jobs=workers, random_state=seed)
    with progress("growing trees", trees, "trees") as advance:
        for before, after in pairwise([*range(0, trees, 4 * workers), trees]):
            started = time.perf_counter()
            with _few_per_class():
                model.set_params(n_estimators=after).fit(vectors, labels)
            seconds = (time.perf_counter() - started) * trees / (after - before)
            if before == 0 and seconds > limit_s:
                raise OverBudgetError(seconds)
            if before == 0 and seconds > MIN_FORECAST_S:
                notify(f"forest: {trees} trees on {len(labels):,} images, about {seconds:,.0f} s")
            advance(after - before)
    return Forest(model, classes)


@contextmanager
def _few_per_class() -> Iterator[None]:
    """Silence scikit-learn's guess that many classes of few images are a regression."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The number of unique classes is greater", UserWarning)
        yield


def _screen(
    fit: Callable[[Vectors, Labels], object], vectors: Vectors, labels: Labels, times: float, limit_s: float
) -> None:
    """Fit a few vectors, to forecast roughly; raises OverBudgetError where even the timing of all would take too long.

    The work grows with vectors and classes. `times` is how much more work the whole fit is than `fit` alone.
    """
    rows = np.random.default_rng(0).permutation(len(labels))[:SCREENED_VECTORS]
    few = labels[rows]
    with _few_per_class():
        fit(vectors[rows], few)  # imports and starts what scikit-learn needs
        started = time.perf_counter()
        fit(vectors[rows], few)
    more = len(labels) / len(rows) * len(np.unique(labels)) / len(np.unique(few))
    seconds = (time.perf_counter() - started) * more * times
    if seconds > SCREENING_ERROR * limit_s:
        raise OverBudgetError(seconds)


def logistic_regression(
    vectors: Vectors, labels: Labels, classes: int, *, passes: int = MAX_ITERATIONS, limit_s: float = math.inf
) -> GraphEstimator:
    """Fit scikit-learn's multinomial LogisticRegression on standardised features, in at most `passes` iterations.

    Raises OverBudgetError as soon as it is forecast to take longer than `limit_s`.
    """
    centre, scale = vectors.mean(axis=0, dtype=np.float64).astype(np.float32), _spread(vectors)
    slopes = np.zeros((classes, vectors.shape[1]), np.float32)
    offsets = np.full(classes, ABSENT_LOGIT, np.float32)
    present = np.unique(labels)
    offsets[present] = 0
    if len(present) > 1:
        model = _fit_logistic((vectors - centre) / scale, labels, passes, limit_s)
        rows = present[-len(model.coef_) :]  # of two classes the first has no row: its logit is 0
        slopes[rows], offsets[rows] = model.coef_, model.intercept_
    return GraphEstimator(linear_graph(centre, scale, slopes, offsets))


def _spread(vectors: Vectors) -> Vectors:
    """Each feature's standard deviation, float32 (width,), but at least a quarter of their mean.

    A pixel at the edge that is nearly always empty would otherwise have a hundredfold weight.
    """
    deviation = vectors.std(axis=0, dtype=np.float64)
    spread: Vectors = np.maximum(deviation, deviation.mean() / 4 or 1).astype(np.float32)
    return spread


def _fit_logistic(vectors: Vectors, labels: Labels, passes: int, limit_s: float) -> Fitted:
    fitting = require("sklearn.linear_model", extra="train").LogisticRegression
    with _few_per_class():
        # After so many iterations, further changes are far below the noise of the images.
        warnings.simplefilter("ignore", require("sklearn.exceptions", extra="train").ConvergenceWarning)
        strength = REGULARISATION / vectors.shape[1]
        if math.isfinite(limit_s) and len(np.unique(labels)) > SCREENED_VECTORS:
            few = fitting(C=strength, max_iter=TIMED_ITERATIONS)
            _screen(few.fit, vectors, labels, passes / TIMED_ITERATIONS, limit_s)
        started = time.perf_counter()
        fitting(C=strength, max_iter=TIMED_ITERATIONS).fit(vectors, labels)
        seconds = (time.perf_counter() - started) * passes / TIMED_ITERATIONS
        if seconds > limit_s:
            raise OverBudgetError(seconds)
        if seconds > MIN_FORECAST_S:
            notify(f"logistic: at most {passes} passes over {len(labels):,} images, at most {seconds:,.0f} s")
        return fitting(C=strength, max_iter=passes).fit(vectors, labels)
