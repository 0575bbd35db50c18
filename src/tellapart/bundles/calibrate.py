"""A bundle taught to say "I don't know": a threshold for its probabilities, and one for how strange an image is."""

import math
import shutil
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tellapart.bundles.bundle import GRAPH, WEIGHTS, Bundle, Facts, Reject, write_manifest
from tellapart.bundles.compile import TwoStage
from tellapart.bundles.evaluate import probabilities, relabelled, unseen
from tellapart.data.dataset import Dataset, Split
from tellapart.data.pipeline import BATCH, Runner
from tellapart.data.splits.draw_splits import HELD_OUT, draw_splits
from tellapart.engine import Engine, Graph, write_graph
from tellapart.errors import BundleError, DatasetError
from tellapart.files import atomic_folder, require_unused
from tellapart.judging.calibration import apply_temperature, fit_temperature
from tellapart.judging.intervals import Estimate, wilson
from tellapart.judging.judge import judge, require_judgeable
from tellapart.judging.metrics import ece
from tellapart.judging.selective import find_threshold
from tellapart.models.classical.estimators import HEAD, HEAD_WEIGHTS, GraphEstimator
from tellapart.models.graphs.surgery import add_temperature, find_features, first_output, graph_up_to
from tellapart.models.outliers import Outliers, add_score, evenly, fit_outliers, outlier_threshold
from tellapart.progress import notify

SHARE = 0.99  # of the validation images that are not too strange
SETTLED = 0.01  # of the logarithm of a temperature: what is nearer to 1 leaves the classifier as it is
VOTING = ("knn", "forest")  # shares of votes, often 0: no temperature makes probabilities of them
LEARNED_FROM = 10_000  # training images: more hardly move what is usual


@dataclass(frozen=True)
class Calibrated:
    """What a reject option does on the validation images that it was chosen on, and the temperature that was added.

    `coverage` is the share of images that are answered, `accuracy` the share of these that are right.
    """

    reject: Reject
    wanted: str
    temperature: float
    coverage: Estimate
    accuracy: Estimate


@dataclass(frozen=True, eq=False)
class Said:
    """What was said of labelled images: labels int (n,), probs float32 (n, classes), strangeness float32 (n, 1).

    Where the graph knows no strangeness it is (n, 0).
    """

    labels: NDArray[np.integer]
    probs: NDArray[np.float32]
    strangeness: NDArray[np.float32]


def calibrate(
    bundle: Bundle | str | Path,
    dataset: Dataset,
    *,
    out: Path,
    accuracy: float | None = None,
    coverage: float | None = None,
) -> Calibrated:
    """Write a copy of a bundle that says "I don't know" below a threshold for this accuracy or this coverage.

    Both are shares of the validation images, on which the temperature is settled too where the bundle has none that
    fits. Images stranger than 99 % of them are not answered either; what is usual is learned from the training
    images. `out` must be new. Raises BundleError, DatasetError, RecipeError, StorageError.
    """
    bundle = Bundle.of(bundle)
    bundle.verify()
    require_unused(out)
    if out.resolve().is_relative_to(bundle.folder.resolve()):
        raise BundleError(f"{out} lies inside the bundle it is made from, which stays as it is: name a folder outside")
    validation, train = _parts(bundle, dataset)
    before = _asked(bundle, last_graph(bundle), validation, "judging on validation")
    degrees = 1.0 if bundle.facts.recipe.get("model") in VOTING else _temperature(bundle, before)
    graph = add_temperature(last_graph(bundle), degrees)
    usual = _usual(bundle, train)
    if usual:
        graph = add_score(graph, usual)
    after = _asked(bundle, graph, validation, "looking for strangers")
    chosen = find_threshold(after.labels, after.probs, accuracy=accuracy, coverage=coverage)
    reject = Reject(chosen.threshold, outlier_threshold(after.strangeness[:, 0], SHARE) if usual else None)
    found = _measured(reject, after, chosen.goal, degrees)
    _write(bundle, graph, found, before, after, out)
    return found


def last_graph(bundle: Bundle) -> Graph:
    """The graph that ends in the probabilities, without a strangeness: the bundle's, or its estimator's."""
    graph = bundle.estimator.graph if isinstance(bundle.estimator, GraphEstimator) else bundle.graph
    return first_output(graph)


def _parts(bundle: Bundle, dataset: Dataset) -> tuple[Split, Split]:
    """The validation and training images: as the bundle's training divided them, else drawn here."""
    dataset = relabelled(dataset, bundle.classes)
    if not bundle.seen:
        dataset = draw_splits(dataset, validation=HELD_OUT, test=0, seed=0)
    validation, train = (unseen(dataset, name, bundle.seen) for name in ("validation", "train"))
    if len(train) > LEARNED_FROM:
        train = train.take(evenly(train.labels, LEARNED_FROM, np.random.default_rng(0)).tolist())
    return validation, train


def _asked(bundle: Bundle, graph: Graph, split: Split, label: str) -> Said:
    """What the bundle says of a split when it ends in this graph."""
    classes = len(bundle.classes)
    answers = probabilities(_runner(bundle, graph), bundle.preprocessing, split.images, label=label)
    if not answers.kept:
        raise DatasetError(f"none of the {len(split)} validation images can be read: check the files")
    labels = split.labels[list(answers.kept)]
    said = Said(labels, answers.values[:, :classes], answers.values[:, classes:])
    require_judgeable(said.labels, said.probs, bundle.classes)
    return said


def _runner(bundle: Bundle, graph: Graph) -> Runner:
    if bundle.estimator is None:
        return Engine(graph, batch=BATCH, precision=bundle.precision)
    head = GraphEstimator(graph) if isinstance(bundle.estimator, GraphEstimator) else bundle.estimator
    return TwoStage(Engine(bundle.graph, batch=BATCH, precision=bundle.precision), head.runner(BATCH))


def _temperature(bundle: Bundle, said: Said) -> float:
    """By what to multiply the temperature that the bundle has: found anew without it, or few images would add up."""
    own = bundle.facts.calibration["temperature"] if bundle.facts.calibration else 1.0
    degrees = fit_temperature(said.labels, apply_temperature(said.probs.astype(np.float64), 1 / own)) / own
    return float(np.float32(degrees)) if abs(math.log(degrees)) > SETTLED else 1.0


def _usual(bundle: Bundle, train: Split) -> Outliers | None:
    """What is usual among the training images; a forest has no graph that could say how strange one is."""
    if bundle.estimator is not None and not isinstance(bundle.estimator, GraphEstimator):
        notify("a forest cannot say how strange an image is: only its probabilities are looked at")
        return None
    graph = last_graph(bundle)
    runner = _runner(bundle, graph_up_to(graph, find_features(graph)))
    found = probabilities(runner, bundle.preprocessing, train.images, label="learning what is usual")
    return fit_outliers(found.values, train.labels[list(found.kept)])


def _measured(reject: Reject, said: Said, wanted: str, degrees: float) -> Calibrated:
    strange = said.strangeness[:, 0].tolist() if reject.strangeness is not None else [None] * len(said.probs)
    sure = said.probs.max(axis=1).tolist()
    kept = np.array([not reject.refuses(one, other) for one, other in zip(sure, strange, strict=True)])
    right = said.probs.argmax(axis=1) == said.labels
    answered = int(np.count_nonzero(kept))
    if not answered:
        raise DatasetError(f"with {wanted} not one validation image would be answered: ask for more coverage")
    return Calibrated(
        reject=reject,
        wanted=wanted,
        temperature=degrees,
        coverage=wilson(answered, len(kept)),
        accuracy=wilson(int(np.count_nonzero(right & kept)), answered),
    )


def _write(bundle: Bundle, graph: Graph, found: Calibrated, before: Said, after: Said, out: Path) -> None:
    """Write the new bundle beside the old one, whose other files it shares byte for byte."""
    ending, weights = (HEAD, HEAD_WEIGHTS) if isinstance(bundle.estimator, GraphEstimator) else (GRAPH, WEIGHTS)
    forest = bundle.estimator is not None and not isinstance(bundle.estimator, GraphEstimator)
    with atomic_folder(out) as partial:
        for name in bundle.hashes:
            if forest or name not in (ending, weights):
                shutil.copyfile(bundle.folder / name, partial / name)
        if not forest:
            write_graph(graph, partial / ending)
        write_manifest(partial, _facts(bundle, found, before, after))


def _facts(bundle: Bundle, found: Calibrated, before: Said, after: Said) -> Facts:
    """What the new bundle says of itself; metrics measured at another temperature are no longer its own."""
    facts, old = bundle.facts, bundle.facts.calibration
    if found.temperature != 1:
        old = {
            "temperature": found.temperature * (old["temperature"] if old else 1.0),
            "ece_before": ece(before.labels, before.probs),
            "ece_after": ece(after.labels, after.probs),
        }
        metrics = {"validation": judge(after.labels, after.probs, bundle.classes).as_json()}
        facts = replace(facts, calibration=old, metrics=metrics)
    reject = {
        **asdict(found.reject),
        "wanted": found.wanted,
        "coverage": found.coverage.as_json(),
        "accuracy": found.accuracy.as_json(),
    }
    return replace(facts, reject=reject)
