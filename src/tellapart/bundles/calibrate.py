"""Calibration of a reject option: thresholds of the confidence and of the OOD score."""

import math
import shutil
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tellapart.bundles.bundle import Bundle, write_manifest
from tellapart.bundles.compile import TwoStage
from tellapart.bundles.evaluate import predict_readable, training_splits
from tellapart.bundles.manifest import GRAPH, WEIGHTS, Manifest
from tellapart.bundles.reject import Reject
from tellapart.data.dataset import Dataset, Split
from tellapart.data.pipeline import BATCH, Runner
from tellapart.data.splits.grouping import group_names
from tellapart.engine import Engine, Graph, write_graph
from tellapart.errors import BundleError, DatasetError
from tellapart.files import atomic_folder, require_unused
from tellapart.judging.calibration import apply_temperature, fit_temperature
from tellapart.judging.clustered import proportion
from tellapart.judging.evaluation import judge
from tellapart.judging.groups import Groups, trust_warning
from tellapart.judging.intervals import Estimate
from tellapart.judging.metrics import ece
from tellapart.judging.requirements import require_judgeable
from tellapart.judging.selective import find_threshold
from tellapart.models.classical.estimators import HEAD, HEAD_WEIGHTS, GraphEstimator
from tellapart.models.graphs.surgery import add_temperature, find_features, first_output, graph_up_to
from tellapart.models.outliers import Outliers, add_score, evenly, fit_outliers, outlier_threshold
from tellapart.progress import notify

INLIER_SHARE = 0.99  # of the validation images, which are within the OOD threshold
MIN_LOG_TEMPERATURE = 0.01  # a temperature closer to 1 is not applied
VOTING_MODELS = ("knn", "forest")  # shares of votes, often 0, which no temperature can calibrate
MAX_TRAINING_IMAGES = 10_000  # for the OOD score: more hardly change it


@dataclass(frozen=True)
class CalibrationResult:
    """A reject option, its effect on the validation images that it was chosen on, and the temperature that was added.

    `coverage` is the share of images that are answered, `accuracy` the share of correct answers. `groups` are those of
    the images, None where unknown.
    """

    reject: Reject
    wanted: str
    temperature: float
    coverage: Estimate
    accuracy: Estimate
    groups: Groups | None = None

    @property
    def warning(self) -> str | None:
        """A sentence where the groups are too few, or too unequal, for the intervals to be trusted."""
        return trust_warning(self.groups)


@dataclass(frozen=True, eq=False)
class LabelledPredictions:
    """Predictions for labelled images: labels int (n,), probs float32 (n, classes), ood_scores float32 (n, 1).

    Without an OOD score in the graph, `ood_scores` is (n, 0). `groups` names what each image belongs to.
    """

    labels: NDArray[np.integer]
    probs: NDArray[np.float32]
    ood_scores: NDArray[np.float32]
    groups: tuple[str, ...] | None = None


def calibrate(
    bundle: Bundle | str | Path,
    dataset: Dataset | str | Path,
    *,
    out: str | Path,
    accuracy: float | None = None,
    coverage: float | None = None,
) -> CalibrationResult:
    """Write a copy of a bundle with a reject option that reaches an accuracy or a coverage.

    Both are shares of the validation images, on which the temperature is fitted too if the present one does not fit.
    Images with a higher OOD score than 99% of them are also rejected; the score is fitted on the training images.
    `out` must be new; the data set may be named by its source. Raises BundleError, DatasetError, RecipeError,
    StorageError.
    """
    bundle = Bundle.of(bundle)
    bundle.require_whole()
    bundle.verify()
    out, dataset = Path(out), Dataset.of(dataset)
    require_unused(out)
    if out.resolve().is_relative_to(bundle.folder.resolve()):
        raise BundleError(
            f"{out} is inside the bundle that is calibrated, which stays unchanged: name a folder outside"
        )
    validation, train = _calibration_splits(bundle, dataset)
    before = _predict(bundle, probability_graph(bundle), validation, "evaluating on validation")
    factor = 1.0 if bundle.manifest.recipe.get("model") in VOTING_MODELS else _temperature_factor(bundle, before)
    graph = add_temperature(probability_graph(bundle), factor)
    outliers = _fit_outliers(bundle, train)
    if outliers:
        graph = add_score(graph, outliers)
    after = _predict(bundle, graph, validation, "scoring outliers")
    chosen = find_threshold(after.labels, after.probs, accuracy=accuracy, coverage=coverage)
    reject = Reject(chosen.threshold, outlier_threshold(after.ood_scores[:, 0], INLIER_SHARE) if outliers else None)
    result = _measure(reject, after, chosen.goal, factor)
    _write(bundle, graph, result, before, after, out)
    return result


def probability_graph(bundle: Bundle) -> Graph:
    """Return the graph that ends in the probabilities, without an OOD score: the bundle's or its estimator's."""
    graph = bundle.estimator.graph if isinstance(bundle.estimator, GraphEstimator) else bundle.graph
    return first_output(graph)


def _calibration_splits(bundle: Bundle, dataset: Dataset) -> tuple[Split, Split]:
    """Return the validation images and a bounded, stratified sample of the training images."""
    validation, train = training_splits(bundle, dataset, "validation", "train")
    if len(train) > MAX_TRAINING_IMAGES:
        train = train.take(evenly(train.labels, MAX_TRAINING_IMAGES, np.random.default_rng(0)).tolist())
    return validation, train


def _predict(bundle: Bundle, graph: Graph, split: Split, label: str) -> LabelledPredictions:
    """Predict a split with the bundle ending in this graph."""
    classes = len(bundle.classes)
    predictions = predict_readable(_runner(bundle, graph), bundle.preprocessing, split.images, label=label)
    if not predictions.kept:
        raise DatasetError(f"none of the {len(split)} validation images can be read: check the files")
    readable = split.take(predictions.kept)
    labels = readable.labels
    probs, ood_scores = predictions.values[:, :classes], predictions.values[:, classes:]
    require_judgeable(labels, probs, bundle.classes)
    return LabelledPredictions(labels, probs, ood_scores, group_names(readable))


def _runner(bundle: Bundle, graph: Graph) -> Runner:
    if bundle.estimator is None:
        return Engine(graph, batch=BATCH, precision=bundle.precision)
    head = GraphEstimator(graph) if isinstance(bundle.estimator, GraphEstimator) else bundle.estimator
    return TwoStage(Engine(bundle.graph, batch=BATCH, precision=bundle.precision), head.runner(BATCH))


def _temperature_factor(bundle: Bundle, predictions: LabelledPredictions) -> float:
    """Return the factor from the present temperature to the best one, which is fitted without the present one.

    Fitting on top of it would accumulate the errors of few images.
    """
    present = bundle.manifest.calibration["temperature"] if bundle.manifest.calibration else 1.0
    factor = (
        fit_temperature(predictions.labels, apply_temperature(predictions.probs.astype(np.float64), 1 / present))
        / present
    )
    return float(np.float32(factor)) if abs(math.log(factor)) > MIN_LOG_TEMPERATURE else 1.0


def _fit_outliers(bundle: Bundle, train: Split) -> Outliers | None:
    """Fit the OOD score on the training images; None for a forest, which has no graph to compute it."""
    if bundle.estimator is not None and not isinstance(bundle.estimator, GraphEstimator):
        notify("a forest has no OOD score: images are rejected by confidence only")
        return None
    graph = probability_graph(bundle)
    runner = _runner(bundle, graph_up_to(graph, find_features(graph)))
    vectors = predict_readable(runner, bundle.preprocessing, train.images, label="fitting the OOD score")
    return fit_outliers(vectors.values, train.labels[list(vectors.kept)])


def _measure(reject: Reject, predictions: LabelledPredictions, wanted: str, factor: float) -> CalibrationResult:
    probs = predictions.probs
    scores = predictions.ood_scores[:, 0].tolist() if reject.strangeness is not None else [None] * len(probs)
    confidences = probs.max(axis=1).tolist()
    accepted = np.array([not reject.rejects(*pair) for pair in zip(confidences, scores, strict=True)])
    correct = probs.argmax(axis=1) == predictions.labels
    if not accepted.any():
        raise DatasetError(f"with {wanted} no validation image would be answered: choose a higher coverage")
    groups = None if predictions.groups is None else Groups.of(predictions.groups, len(accepted))
    return CalibrationResult(
        reject=reject,
        wanted=wanted,
        temperature=factor,
        coverage=proportion(accepted, groups),
        accuracy=proportion(correct[accepted], None if groups is None else groups.take(accepted)),
        groups=groups,
    )


def _write(
    bundle: Bundle,
    graph: Graph,
    result: CalibrationResult,
    before: LabelledPredictions,
    after: LabelledPredictions,
    out: Path,
) -> None:
    """Write the calibrated bundle; its other files are byte-for-byte copies."""
    graph_file, weights = (HEAD, HEAD_WEIGHTS) if isinstance(bundle.estimator, GraphEstimator) else (GRAPH, WEIGHTS)
    forest = bundle.estimator is not None and not isinstance(bundle.estimator, GraphEstimator)
    with atomic_folder(out) as partial:
        for name in bundle.hashes:
            if forest or name not in (graph_file, weights):
                shutil.copyfile(bundle.folder / name, partial / name)
        if not forest:
            write_graph(graph, partial / graph_file)
        write_manifest(partial, _calibrated_manifest(bundle, result, before, after), proved=True)


def _calibrated_manifest(
    bundle: Bundle, result: CalibrationResult, before: LabelledPredictions, after: LabelledPredictions
) -> Manifest:
    """Return the manifest of the calibrated bundle; metrics at another temperature are replaced."""
    manifest, calibration = bundle.manifest, bundle.manifest.calibration
    if result.temperature != 1:
        calibration = {
            "temperature": result.temperature * (calibration["temperature"] if calibration else 1.0),
            "ece_before": ece(before.labels, before.probs),
            "ece_after": ece(after.labels, after.probs),
        }
        metrics = {"validation": judge(after.labels, after.probs, bundle.classes, groups=after.groups).as_json()}
        manifest = replace(manifest, calibration=calibration, metrics=metrics)
    reject = {
        **asdict(result.reject),
        "wanted": result.wanted,
        "coverage": result.coverage.as_json(),
        "accuracy": result.accuracy.as_json(),
    }
    return replace(manifest, reject=reject)
