"""Comparison of an int8 network with float on this machine: accuracy, size and speed."""

import statistics
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from tellapart.bundles.bundle import Bundle
from tellapart.bundles.evaluate import evaluate_readable, predict_readable
from tellapart.data.dataset import Split
from tellapart.data.pipeline import BATCH
from tellapart.engine import Engine, Precision, read_graph, resolve_precision
from tellapart.errors import BundleError, first_line
from tellapart.exporting.graph_formats import full_graph
from tellapart.judging.paired import Comparison, compare

MIN_SPEEDUP = 1.3  # over the faster float precision of this machine
MAX_ACCURACY_LOSS = 0.01
TIMING_ROUNDS = 5


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
        return self.speedup >= MIN_SPEEDUP and self.comparison.accuracy_difference.value >= -MAX_ACCURACY_LOSS

    def summary(self) -> str:
        """Summarize accuracy with its paired 95% interval, size and speed."""
        difference = self.comparison.accuracy_difference
        low, high = 100 * difference.low, 100 * difference.high
        return (
            f"accuracy {self.int8_accuracy:.1%} against {self.float_accuracy:.1%} on {self.comparison.n:,} validation "
            f"images (difference {100 * difference.value:+.1f} points, {low:+.1f} to {high:+.1f}); "
            f"{self.int8_bytes / 1e6:.3g} MB against {self.float_bytes / 1e6:.3g} MB; {self.rates['int8']:,.0f} "
            f"images per second against {self.rates[self.best]:,.0f} in {self.best}, {self.speedup:.2f} times as fast"
        )

    def as_json(self) -> dict[str, object]:
        """Return the fields for `export.json`."""
        return {**asdict(self), "best": self.best, "speedup": self.speedup}


def compare_int8(bundle: Bundle, path: Path, validation: Split) -> Int8Comparison:
    """Evaluate an int8 graph and the bundle's own graph on the same images, and time them alternately.

    Raises BundleError if OpenVINO cannot run the int8 graph, DatasetError if no image can be read.
    """
    engines = _engines(bundle, path)
    predict = partial(predict_readable, preprocessing=bundle.preprocessing, images=validation.images)
    int8, float32 = (
        evaluate_readable(
            predict(engines[name], label=f"evaluating {name}"), validation, bundle.classes, label="validation"
        )
        for name in ("int8", "float32")
    )
    return Int8Comparison(
        int8_accuracy=int8.accuracy.value,
        float_accuracy=float32.accuracy.value,
        comparison=compare(float32.labels, int8.probs, float32.probs),
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
