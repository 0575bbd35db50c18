"""Simpler classifiers on the same images: what a run must beat, and by how much it does."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tellapart.bundles.evaluate import unseen
from tellapart.bundles.stored_predictions import StoredPredictions, read_predictions
from tellapart.data.dataset import Dataset, Labels, Split
from tellapart.data.images import Images
from tellapart.data.pipeline import ReadableRows
from tellapart.errors import RunError
from tellapart.files import atomic_write, cache_folder
from tellapart.judging.intervals import Estimate, wilson
from tellapart.judging.paired import compare
from tellapart.models.classical.estimators import Estimator, Vectors
from tellapart.models.classical.fit import (
    estimator_probabilities,
    logistic_regression,
    nearest_neighbours,
    random_forest,
)
from tellapart.models.features.feature_cache import FeatureCache
from tellapart.models.resolved_recipe import PIXELS, EstimatorRecipe, resolve, resolve_estimator
from tellapart.progress import notify
from tellapart.recipe import Recipe
from tellapart.training.classical import source_of
from tellapart.training.prepare import FEATURES
from tellapart.training.run import Run

FILE = "baselines.json"
KINDS = {"knn": "k nearest neighbours", "logistic": "logistic regression", "forest": "forest"}
MOST = 5_000  # training images: more would take longer than a report is worth
TREES, PASSES = 50, 25  # of a forest and of logistic regression: more hardly changes what they are worth here
See = Callable[[Images, str], ReadableRows]
"""From images, and what to call the work, to their vectors, float32 (n, width)."""


@dataclass(frozen=True)
class Baseline:
    """A simple classifier judged on one split, and this run's paired difference to it.

    `stands_on` is what it sees, `images` how many it was fitted on. `difference` is the run's accuracy less its own;
    `p_value` is McNemar's.
    """

    name: str
    split: str
    stands_on: str
    images: int
    accuracy: Estimate
    difference: Estimate
    p_value: float


def baselines(run: Run, dataset: Dataset) -> tuple[Baseline, ...]:
    """Judge the baselines of a run on the split that reports speak of, or read them where that was done before.

    `dataset` is divided as the run's was. Raises RunError where the run has no answers.
    """
    path = run.folder / FILE
    if not path.exists():
        found = [asdict(one) for one in _judged(run, dataset)]
        atomic_write(path, json.dumps(found, indent=2) + "\n")
    return tuple(_read(path))


def _judged(run: Run, dataset: Dataset) -> Iterator[Baseline]:
    split = "test" if "test" in dataset.splits else "validation"
    answers = read_predictions(run.folder, split)
    if answers is None:
        raise RunError(f"{run.folder} has no answers on {split}: train it again, with this tellapart")
    yield _majority(dataset, split, answers)
    kinds = [kind for kind in KINDS if kind != run.recipe.model]
    recipe = _standing_as(run.recipe, dataset, kinds[0])
    train, asked = _some(dataset.splits["train"], recipe.seed), unseen(dataset, split, run.bundle.seen).images
    see = _stored_vectors(run, (train.images, asked)) or source_of(dataset, recipe).vectors
    known, said = see(train.images, "features of train"), see(asked, f"features of {split}")
    labels = train.labels[list(known.kept)]
    digests = [asked.digests[i] for i in said.kept]
    for kind in kinds:
        notify(f"baseline: {KINDS[kind]}")
        estimator = _fitted(kind, recipe, known.values, labels, len(dataset.classes))
        probs = _in_order(estimator_probabilities(estimator, said.values), digests, answers)
        yield _beside(KINDS[kind], split, recipe.features, len(labels), answers, probs)


def _fitted(kind: str, recipe: EstimatorRecipe, vectors: Vectors, labels: Labels, classes: int) -> Estimator:
    if kind == "knn":
        return nearest_neighbours(vectors, labels, classes, neighbours=min(recipe.neighbours, len(labels)))
    if kind == "logistic":
        return logistic_regression(vectors, labels, classes, passes=PASSES)
    return random_forest(vectors, labels, classes, trees=TREES, seed=recipe.seed)


def _stored_vectors(run: Run, needed: Sequence[Images]) -> See | None:
    """Read vectors from the cache by the key that the run noted, without Keras; None where one of them is not there."""
    noted = next(
        (path for path in (run.folder / FEATURES, *sorted(run.folder.glob(f"steps/*/{FEATURES}"))) if path.exists()),
        None,
    )
    if noted is None:
        return None
    facts = json.loads(noted.read_text())
    store = FeatureCache(cache_folder() / "features" / facts["key"])
    if not store.knows(digest for images in needed for digest in images.digests):
        return None

    def see(images: Images, _: str) -> ReadableRows:
        rows = store.take(list(images.digests), (int(facts["width"]),))
        return ReadableRows(rows[:], tuple(range(len(images))), ())

    return see


def _standing_as(recipe: Recipe, dataset: Dataset, kind: str) -> EstimatorRecipe:
    """The recipe of an estimator on what a run's own classifier stands on."""
    base = resolve(recipe, own_size=None).backbone
    fields = ("size", "fit", "precision", "seed", "validation", "test", "split_seed")
    kept = {name: getattr(recipe, name) for name in fields}
    weights = recipe.weights if base else None
    plain = Recipe(model=kind, features=base or PIXELS, weights=weights, trees=TREES, **kept)
    return resolve_estimator(plain, own_size=dataset.own_size)


def _some(train: Split, seed: int) -> Split:
    if len(train) <= MOST:
        return train
    return train.take(sorted(np.random.default_rng(seed).permutation(len(train))[:MOST].tolist()))


def _in_order(probs: Vectors, digests: list[str], answers: StoredPredictions) -> Vectors:
    """The rows of the images that the run answered, in its order. Raises RunError where one is no longer there."""
    places = {digest: place for place, digest in enumerate(digests)}
    if gone := {*answers.digests} - places.keys():
        raise RunError(f"{len(gone)} of the images that the run was judged on cannot be read any more: restore them")
    return probs[[places[digest] for digest in answers.digests]]


def _majority(dataset: Dataset, split: str, answers: StoredPredictions) -> Baseline:
    """Always the class that training has most images of."""
    shares = dataset.counts("train") / len(dataset.splits["train"])
    probs = np.tile(shares.astype(np.float32), (len(answers.labels), 1))
    return _beside("majority class", split, "nothing", len(dataset.splits["train"]), answers, probs)


def _beside(
    name: str, split: str, stands_on: str, images: int, answers: StoredPredictions, probs: NDArray[np.float32]
) -> Baseline:
    right = int(np.count_nonzero(probs.argmax(axis=1) == answers.labels))
    found = compare(answers.labels, answers.probs, probs)
    return Baseline(
        name=name,
        split=split,
        stands_on=stands_on,
        images=images,
        accuracy=wilson(right, len(answers.labels)),
        difference=found.accuracy_difference,
        p_value=found.mcnemar.p_value,
    )


def _read(path: Path) -> Iterator[Baseline]:
    try:
        for fields in json.loads(path.read_text(encoding="utf-8")):
            yield Baseline(**{**fields, **{name: Estimate(**fields[name]) for name in ("accuracy", "difference")}})
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise RunError(f"{path} cannot be read ({error}): remove it, and it is made again") from error
