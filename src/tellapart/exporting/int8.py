"""Quantization of a network's OpenVINO graph to int8, accepted only if it is faster and about as accurate."""

import statistics
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np

from tellapart.bundles.bundle import Bundle
from tellapart.bundles.evaluate import evaluate_readable, predict_readable, training_splits
from tellapart.data.dataset import Dataset, Split
from tellapart.data.pipeline import BATCH, Runner
from tellapart.engine import Engine, Graph, Precision, core, read_graph, resolve_precision, write_graph
from tellapart.errors import BundleError, DatasetError, RecipeError, first_line, require
from tellapart.exporting.export import ExportResult, write_metadata
from tellapart.exporting.formats import NETWORK, bundle_kind, format_for
from tellapart.exporting.graph_formats import full_graph
from tellapart.exporting.parity import Images, Runtime, bundle_probabilities, check_parity, draw_sample, read_images
from tellapart.files import atomic_folder, require_unused
from tellapart.judging.evaluation import Evaluation
from tellapart.judging.paired import Comparison, compare
from tellapart.progress import notify
from tellapart.silence import silence_libraries
from tellapart.text import counted, point_interval, points

MIN_SPEEDUP = 1.3  # over the faster float precision of this machine
MAX_ACCURACY_LOSS = 0.01
TIMING_ROUNDS = 5
MAX_CALIBRATION_IMAGES = 300  # training images that calibrate the range of each layer's activations
FLOAT_OPERATIONS = ("Divide", "Log", "Maximum", "Softmax")
"""Operations from logits to probabilities, which stay in float32: the lowest of 256 steps is 0, which has no log."""


@dataclass(frozen=True)
class Int8Comparison:
    """Accuracy on validation images, the paired difference of int8 and float32, images per second, and bytes."""

    int8_accuracy: float
    float_accuracy: float
    comparison: Comparison
    rates: Mapping[str, float]
    """Images per second in int8, float32, and bfloat16 if the machine supports it in hardware."""
    int8_bytes: int
    float_bytes: int

    @property
    def best(self) -> str:
        """The faster float precision."""
        return max((name for name in self.rates if name != "int8"), key=lambda name: self.rates[name])

    @property
    def speedup(self) -> float:
        """The speed of int8 relative to the faster float precision."""
        return self.rates["int8"] / self.rates[self.best]

    @property
    def worthwhile(self) -> bool:
        """True if int8 is fast and accurate enough on this machine."""
        return self.speedup >= MIN_SPEEDUP and is_accurate(self.comparison)

    def summary(self) -> str:
        """Summarize accuracy with its paired 95% interval, size and speed."""
        return (
            f"{summarize_accuracy(self.int8_accuracy, self.float_accuracy, self.comparison)}; "
            f"{self.int8_bytes / 1e6:.3g} MB against {self.float_bytes / 1e6:.3g} MB; {self.rates['int8']:,.0f} "
            f"images per second against {self.rates[self.best]:,.0f} in {self.best}, {self.speedup:.2f} times as fast"
        )

    def as_json(self) -> dict[str, object]:
        """Return the fields for `export.json`."""
        return {**asdict(self), "comparison": self.comparison.as_json(), "best": self.best, "speedup": self.speedup}


def is_accurate(comparison: Comparison) -> bool:
    """Tell whether a lower precision loses at most a point of accuracy."""
    return comparison.accuracy_difference.value >= -MAX_ACCURACY_LOSS


def summarize_accuracy(accuracy: float, float_accuracy: float, comparison: Comparison) -> str:
    """Summarize the accuracy of a lower precision against float32, with the paired 95% interval of the difference."""
    difference, count = comparison.accuracy_difference, comparison.groups
    groups = "" if count is None else f" of {counted(count, 'group')}"
    return (
        f"accuracy {accuracy:.1%} against {float_accuracy:.1%} on {comparison.n:,} validation images{groups} "
        f"(difference {points(difference.value)}, {point_interval(difference.low, difference.high)})"
    )


def evaluate_pair(
    bundle: Bundle, validation: Split, name: str, reduced: Runner, float32: Runner
) -> tuple[Evaluation, Evaluation, Comparison]:
    """Evaluate a lower precision, called `name`, and float32 on the same images, and compare them.

    Raises DatasetError if no image can be read.
    """
    predict = partial(predict_readable, preprocessing=bundle.preprocessing, images=validation.images)
    lower, full = (
        evaluate_readable(predict(runner, label=f"evaluating {label}"), validation, bundle.classes, label="validation")
        for label, runner in ((name, reduced), ("float32", float32))
    )
    groups = None if full.groups is None else full.groups.index
    return lower, full, compare(full.labels, lower.probs, full.probs, groups=groups)


def compare_int8(bundle: Bundle, path: Path, validation: Split) -> Int8Comparison:
    """Evaluate an int8 graph and the bundle's own graph on the same images, and time them alternately.

    Raises BundleError if OpenVINO cannot run the int8 graph, DatasetError if no image can be read.
    """
    engines = _engines(bundle, path)
    int8, float32, comparison = evaluate_pair(bundle, validation, "int8", engines["int8"], engines["float32"])
    return Int8Comparison(
        int8_accuracy=int8.accuracy.value,
        float_accuracy=float32.accuracy.value,
        comparison=comparison,
        rates=_rates(engines),
        int8_bytes=model_bytes(path),
        float_bytes=model_bytes(bundle.folder / path.name),
    )


def model_bytes(path: Path) -> int:
    """Return the size of `model.xml` and its weights."""
    return path.stat().st_size + path.with_suffix(".bin").stat().st_size


def _engines(bundle: Bundle, path: Path) -> dict[str, Engine]:
    precisions: set[Precision] = {"float32", resolve_precision("auto")}
    try:
        int8 = Engine(read_graph(path), batch=BATCH)
    except RuntimeError as error:
        reason = first_line(error)
        raise BundleError(f"OpenVINO cannot run {bundle.folder} in int8 ({reason}): remove --int8") from error
    graph = full_graph(bundle)
    return {"int8": int8, **{name: Engine(graph, batch=BATCH, precision=name) for name in sorted(precisions)}}


def _rates(engines: Mapping[str, Engine]) -> dict[str, float]:
    """Measure images per second: the median of alternating rounds, since other programs may use the machine."""
    rounds = [{name: engine.rate() for name, engine in engines.items()} for _ in range(TIMING_ROUNDS)]
    return {name: statistics.median(rates[name] for rates in rounds) for name in engines}


def export_int8(
    bundle: Bundle | str | Path, dataset: Dataset, *, to: str, out: Path
) -> tuple[ExportResult, Int8Comparison]:
    """Quantize a network into the new folder `out`, calibrated on training images.

    It is compared with float on validation images, not test images. Raises BundleError if it is less than 1.3 times
    as fast as float on this machine or loses more than a point of accuracy, RecipeError for a format other than
    openvino, and the errors of `export`.
    """
    bundle = Bundle.of(bundle)
    _require_quantizable(bundle, to)
    bundle.verify()
    require_unused(out)
    target = format_for(bundle, to)
    train, validation = training_splits(bundle, dataset, "train", "validation")
    sample = draw_sample(bundle, dataset)
    graph = quantize(full_graph(bundle), calibration_images(bundle, train))
    with atomic_folder(out) as partial:
        path = partial / target.file
        write_graph(graph, path)
        comparison = compare_int8(bundle, path, validation)
        if not comparison.worthwhile:
            raise BundleError(
                f"int8 is not worthwhile for {bundle.folder} on this machine: {comparison.summary()}. Expected at "
                f"least {MIN_SPEEDUP} times the speed and at most {100 * MAX_ACCURACY_LOSS:.0f} point lost; nothing "
                f"was written"
            )
        parity = check_parity(_open(path), sample, bundle_probabilities(bundle, sample.images))
        fields = {"format": to, "file": target.file, "agreement": parity.as_json(), "int8": comparison.as_json()}
        write_metadata(bundle, partial, fields)
    return ExportResult(out, to, comparison.int8_bytes, parity), comparison


def quantize(graph: Graph, images: Images) -> Graph:
    """Quantize weights and activations, calibrated on images uint8 (n, height, width, channels). Raises BundleError.

    Source: nncf's post-training quantization, with fast bias correction.
    """
    core()
    nncf = require("nncf", extra="int8")
    notify(f"int8: calibrating on {len(images)} training images")
    try:
        with silence_libraries():
            return nncf.quantize(
                graph.clone(),
                nncf.Dataset([images[i : i + 1] for i in range(len(images))]),
                subset_size=len(images),
                ignored_scope=nncf.IgnoredScope(types=list(FLOAT_OPERATIONS), validate=False),
            )
    except Exception as error:  # of nncf
        raise BundleError(f"nncf cannot quantize this network ({first_line(error)}): remove --int8") from error


def calibration_images(bundle: Bundle, train: Split) -> Images:
    """Sample a split evenly: uint8 (n, height, width, channels). Raises DatasetError if no image can be read."""
    images = list(read_images(train, bundle.preprocessing, MAX_CALIBRATION_IMAGES))
    if not images:
        raise DatasetError(f"none of the {len(train)} training images can be read: check the files")
    return np.stack(images)


def _require_quantizable(bundle: Bundle, to: str) -> None:
    if to != "openvino":
        raise RecipeError(
            f"int8 requires OpenVINO or LiteRT: use --to openvino --int8 or --to litert --int8, or --to {to} without "
            f"--int8"
        )
    if bundle_kind(bundle) != NETWORK:
        raise BundleError(
            f"{bundle.folder} is a {bundle.manifest.recipe.get('model')}, int8 supports networks only: remove --int8"
        )
    require("nncf", extra="int8")


def _open(path: Path) -> Runtime:
    engine = Engine(read_graph(path), batch=BATCH)
    return Runtime("openvino", lambda images: next(engine.run([images])))
