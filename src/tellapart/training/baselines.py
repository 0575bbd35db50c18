"""Simpler classifiers on the same images: what a run must beat, and by how much it does."""

import json
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypedDict

import numpy as np
from numpy.typing import NDArray

from tellapart.bundles.evaluate import split_for
from tellapart.bundles.stored_predictions import StoredPredictions, read_predictions
from tellapart.data.dataset import Dataset, Labels, Split
from tellapart.data.images import Images
from tellapart.data.pipeline import ReadableRows
from tellapart.errors import RunError
from tellapart.files import atomic_write, cache_folder
from tellapart.judging.clustered import proportion
from tellapart.judging.groups import Groups
from tellapart.judging.intervals import Estimate
from tellapart.judging.paired import compare
from tellapart.models.catalogue import lookup
from tellapart.models.classical.estimators import Estimator, Vectors
from tellapart.models.classical.fit import (
    OverBudgetError,
    estimator_probabilities,
    logistic_regression,
    nearest_neighbours,
    random_forest,
)
from tellapart.models.features.feature_cache import FeatureCache
from tellapart.models.resolved_recipe import PIXELS, EstimatorRecipe, resolve, resolve_estimator
from tellapart.progress import notify
from tellapart.read_files import ContentError, conform, read_json
from tellapart.recipe import Recipe
from tellapart.training.estimator_run import vector_source
from tellapart.training.fitting.checkpoints import read_history
from tellapart.training.run import Run
from tellapart.training.run_files import FEATURES

FILE = "baselines.json"
KEY = re.compile(r"[0-9a-f]{8,64}")  # of features in the cache
NAMES = {"knn": "k nearest neighbours", "logistic": "logistic regression", "forest": "forest"}
MAX_IMAGES = 5_000  # of training: more would take longer than a report is worth
TREES, PASSES = 50, 25  # of a forest and of logistic regression: more hardly changes their accuracy
SIGNIFICANT = 0.05  # p-value
MIN_BUDGET_S = 10.0  # for all of them together, or as long as the training took where that was longer
Vectorize = Callable[[Images, str], ReadableRows]
"""From images and the label of a progress bar to their vectors, float32 (n, width)."""


@dataclass(frozen=True)
class Baseline:
    """A simple classifier evaluated on one split, and this run's paired difference to it.

    `stands_on` is its input, `images` how many it was fitted on. `difference` is the run's accuracy less the
    baseline's; `p_value` is McNemar's.
    """

    name: str
    split: str
    stands_on: str
    images: int
    accuracy: Estimate
    difference: Estimate
    p_value: float

    @property
    def is_better(self) -> bool:
        """True if it is significantly better than the run's classifier."""
        return self.difference.value < 0 and self.p_value < SIGNIFICANT


@dataclass(frozen=True)
class LeftOut:
    """A baseline that would take longer than all of them may: its name and the reason."""

    name: str
    reason: str


def baselines(run: Run, dataset: Dataset, *, budget_s: float | None = None) -> tuple[Baseline, ...]:
    """Evaluate the baselines of a run on the split that its report is about, or read them where that is done.

    `dataset` is divided as the run's was. All together may take as long as the training did, at least 10 s, or
    `budget_s`; what takes longer is left out, and `left_out_baselines` names it. Raises RunError where the run has no
    predictions.
    """
    path = run.folder / FILE
    if not path.exists():
        budget_s = max(MIN_BUDGET_S, training_seconds(run)) if budget_s is None else budget_s
        entries = [asdict(entry) for entry in _evaluate(run, dataset, budget_s)]
        atomic_write(path, json.dumps(entries, indent=2) + "\n")
    return read_baselines(run)


def training_seconds(run: Run) -> float:
    """Sum the seconds of all epochs of a run; 0 for a model without epochs. Raises RunError."""
    histories = (read_history(path) for path in sorted(run.folder.rglob("history.csv")))
    return sum(epoch.seconds for history in histories for epoch in history)


def read_baselines(run: Run) -> tuple[Baseline, ...]:
    """Read the baselines that a report left in a run's folder, none without one. Raises RunError."""
    return tuple(entry for entry in _read(run.folder / FILE) if isinstance(entry, Baseline))


def left_out_baselines(run: Run) -> tuple[LeftOut, ...]:
    """Read the baselines that were left out of a run's report. Raises RunError."""
    return tuple(entry for entry in _read(run.folder / FILE) if isinstance(entry, LeftOut))


def better_baseline(run: Run) -> str | None:
    """Name the best baseline that beats the run significantly, and what to try. Raises RunError."""
    better = [baseline for baseline in read_baselines(run) if baseline.is_better]
    if not better:
        return None
    best = max(better, key=lambda baseline: baseline.accuracy.value)
    ours = best.accuracy.value + best.difference.value
    comparison = (
        f"is significantly better on {best.split}: accuracy {best.accuracy.value:.1%} against {ours:.1%} (paired test, "
        f"p = {best.p_value:.2g})"
    )
    models = [model for model, name in NAMES.items() if name == best.name]
    if not models:
        return f"{best.name} {comparison}: check the labels and the learning rate"
    longer = "" if lookup(run.recipe.model).estimator else ", or train longer with more --epochs"
    return f"{best.name} on {best.stands_on} {comparison}: try --model {models[0]} --features {best.stands_on}{longer}"


def _evaluate(run: Run, dataset: Dataset, budget_s: float) -> Iterator[Baseline | LeftOut]:
    split = "test" if "test" in dataset.splits and "test" in run.metrics else "validation"
    predictions = read_predictions(run.folder, split)
    if predictions is None:
        raise RunError(f"{run.folder} has no answers on {split}: train it again, with this tellapart")
    yield _majority(dataset, split, predictions)
    kinds = [kind for kind in NAMES if kind != run.recipe.model]
    recipe = _estimator_recipe(run.recipe, dataset, kinds[0])
    train, images = _sample(dataset.splits["train"], recipe.seed), split_for(dataset, split, run.bundle.seen).images
    vectorize = _stored_vectors(run, (train.images, images)) or vector_source(dataset, recipe).vectors
    known, new = vectorize(train.images, "features of train"), vectorize(images, f"features of {split}")
    labels = train.labels[list(known.kept)]
    digests = [images.digests[i] for i in new.kept]
    started = time.monotonic()
    for kind in kinds:
        left_s = max(budget_s - (time.monotonic() - started), 0.0)
        notify(f"baseline: {NAMES[kind]}")
        try:
            estimator = _fit(kind, recipe, known.values, labels, len(dataset.classes), left_s)
        except OverBudgetError as error:
            reason = f"it would take {error}, and {left_s:,.0f} s of {budget_s:,.0f} s for all baselines are left"
            notify(f"left out: {NAMES[kind]}: {reason}")
            yield LeftOut(NAMES[kind], reason)
            continue
        probs = _in_order(estimator_probabilities(estimator, new.values), digests, predictions)
        yield _compare(NAMES[kind], split, recipe.features, len(labels), predictions, probs)


def _fit(
    kind: str, recipe: EstimatorRecipe, vectors: Vectors, labels: Labels, classes: int, limit_s: float
) -> Estimator:
    if kind == "knn":
        return nearest_neighbours(vectors, labels, classes, neighbours=min(recipe.neighbours, len(labels)))
    if kind == "logistic":
        return logistic_regression(vectors, labels, classes, passes=PASSES, limit_s=limit_s)
    return random_forest(vectors, labels, classes, trees=TREES, seed=recipe.seed, limit_s=limit_s)


def _stored_vectors(run: Run, needed: Sequence[Images]) -> Vectorize | None:
    """Read vectors from the cache by the key in the run's folder, without Keras; None where one is missing."""
    path = next(
        (path for path in (run.folder / FEATURES, *sorted(run.folder.glob(f"steps/*/{FEATURES}"))) if path.exists()),
        None,
    )
    if path is None:
        return None
    source = _feature_key(path)
    cache = FeatureCache(cache_folder() / "features" / source["key"])
    if not cache.knows(digest for images in needed for digest in images.digests):
        return None

    def vectorize(images: Images, _: str) -> ReadableRows:
        rows = cache.take(list(images.digests), (source["width"],))
        return ReadableRows(rows[:], tuple(range(len(images))), ())

    return vectorize


class FeatureKey(TypedDict):
    """Fields of `features.json`, about the vectors in the cache."""

    key: str
    width: int


def _feature_key(path: Path) -> FeatureKey:
    """Read the key of a run's vectors. Raises RunError."""
    try:
        source = read_json(path, FeatureKey)
    except (OSError, ContentError) as error:
        raise RunError(f"{path} cannot be read ({error}): remove it, and the features are computed again") from error
    if not KEY.fullmatch(source["key"]):  # it becomes the name of a folder
        raise RunError(f"{path} names no features: remove it, and they are computed again")
    return source


def _estimator_recipe(recipe: Recipe, dataset: Dataset, kind: str) -> EstimatorRecipe:
    """Return the recipe of an estimator on the same input as the run's own classifier."""
    backbone = resolve(recipe, own_size=None).backbone
    names = ("size", "fit", "precision", "seed", "validation", "test", "split_seed")
    shared = {name: getattr(recipe, name) for name in names}
    weights = recipe.weights if backbone else None
    plain = Recipe(model=kind, features=backbone or PIXELS, weights=weights, trees=TREES, **shared)
    return resolve_estimator(plain, own_size=dataset.own_size)


def _sample(train: Split, seed: int) -> Split:
    if len(train) <= MAX_IMAGES:
        return train
    return train.take(sorted(np.random.default_rng(seed).permutation(len(train))[:MAX_IMAGES].tolist()))


def _in_order(probs: Vectors, digests: list[str], predictions: StoredPredictions) -> Vectors:
    """Order rows as the run's predictions. Raises RunError where an image of them is missing."""
    places = {digest: place for place, digest in enumerate(digests)}
    if missing := {*predictions.digests} - places.keys():
        raise RunError(f"{len(missing)} of the images that the run was judged on cannot be read any more: restore them")
    return probs[[places[digest] for digest in predictions.digests]]


def _majority(dataset: Dataset, split: str, predictions: StoredPredictions) -> Baseline:
    """Evaluate the class that has most training images, as a prediction for every image."""
    shares = dataset.counts("train") / len(dataset.splits["train"])
    probs = np.tile(shares.astype(np.float32), (len(predictions.labels), 1))
    return _compare("majority class", split, "nothing", len(dataset.splits["train"]), predictions, probs)


def _compare(
    name: str, split: str, stands_on: str, images: int, predictions: StoredPredictions, probs: NDArray[np.float32]
) -> Baseline:
    names, correct = predictions.groups, probs.argmax(axis=1) == predictions.labels
    comparison = compare(predictions.labels, predictions.probs, probs, groups=names)
    return Baseline(
        name=name,
        split=split,
        stands_on=stands_on,
        images=images,
        accuracy=proportion(correct, None if names is None else Groups.of(names, len(correct))),
        difference=comparison.accuracy_difference,
        p_value=comparison.mcnemar.p_value,
    )


def _read(path: Path) -> tuple[Baseline | LeftOut, ...]:
    if not path.exists():
        return ()
    try:
        stored = [_in_todays_words(entry) for entry in read_json(path, list[dict[str, Any]])]
        return tuple(conform(stored, list[LeftOut | Baseline]))
    except (OSError, ContentError) as error:
        raise RunError(f"{path} cannot be read ({error}): remove it, and it is made again") from error


def _in_todays_words(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Give the fields of older versions their names of today."""
    return {"images" if name == "pictures" else name: value for name, value in entry.items()}
