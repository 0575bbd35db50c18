"""Whether 8 bits are worth it for a network on this machine: accuracy, size and speed beside float."""

import statistics
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from tellapart.bundles.bundle import Bundle
from tellapart.bundles.evaluate import judged, probabilities
from tellapart.data.dataset import Split
from tellapart.data.pipeline import BATCH
from tellapart.engine import Engine, Precision, read_graph, resolve_precision
from tellapart.errors import BundleError, first_line
from tellapart.exporting.graphs import whole_graph
from tellapart.judging.paired import Comparison, compare

FASTER, LOST = 1.3, 0.01  # at least, of the machine's best; at most, of accuracy
ROUNDS = 5


@dataclass(frozen=True)
class Worth:
    """What 8 bits change: accuracies on `n` validation images, int8's less float32's, images a second, bytes."""

    int8_accuracy: float
    float_accuracy: float
    comparison: Comparison
    rates: Mapping[str, float]
    """Of int8, of float32, and of bfloat16 where the machine multiplies it in hardware."""
    int8_bytes: int
    float_bytes: int

    @property
    def best(self) -> str:
        """The faster of the float precisions."""
        return max((name for name in self.rates if name != "int8"), key=lambda name: self.rates[name])

    @property
    def speedup(self) -> float:
        """How many times faster int8 is than the best of them."""
        return self.rates["int8"] / self.rates[self.best]

    @property
    def offered(self) -> bool:
        """Whether it is worth having on this machine."""
        return self.speedup >= FASTER and self.comparison.accuracy_difference.value >= -LOST

    def sentence(self) -> str:
        """The figures: accuracy with its paired 95 % interval, size, speed."""
        lost = self.comparison.accuracy_difference
        return (
            f"accuracy {self.int8_accuracy:.1%} against {self.float_accuracy:.1%} on {self.comparison.n:,} validation "
            f"images (difference {100 * lost.value:+.1f} points, {100 * lost.low:+.1f} to {100 * lost.high:+.1f}); "
            f"{self.int8_bytes / 1e6:.3g} MB against {self.float_bytes / 1e6:.3g} MB; {self.rates['int8']:,.0f} "
            f"images a second against {self.rates[self.best]:,.0f} in {self.best}, {self.speedup:.2f} times as fast"
        )

    def as_json(self) -> dict[str, object]:
        """As in `export.json`."""
        return {**asdict(self), "best": self.best, "speedup": self.speedup}


def worth(bundle: Bundle, path: Path, validation: Split) -> Worth:
    """Judge an int8 graph's file beside the bundle's own graph on the same images, and time them in turns.

    Raises BundleError where OpenVINO cannot run it, DatasetError where no image can be read.
    """
    engines = _engines(bundle, path)
    ask = partial(probabilities, preprocessing=bundle.preprocessing, images=validation.images)
    quick, exact = ask(engines["int8"], label="judging int8"), ask(engines["float32"], label="judging float32")
    ours, theirs = (judged(answers, validation, bundle.classes, label="validation") for answers in (quick, exact))
    return Worth(
        int8_accuracy=ours.accuracy.value,
        float_accuracy=theirs.accuracy.value,
        comparison=compare(theirs.labels, ours.probs, theirs.probs),
        rates=_rates(engines),
        int8_bytes=bytes_of(path),
        float_bytes=bytes_of(bundle.folder / path.name),
    )


def bytes_of(path: Path) -> int:
    """The bytes of `model.xml` and of the weights beside it."""
    return path.stat().st_size + path.with_suffix(".bin").stat().st_size


def _engines(bundle: Bundle, path: Path) -> dict[str, Engine]:
    precisions: set[Precision] = {"float32", resolve_precision("auto")}
    try:
        eight = Engine(read_graph(path), batch=BATCH)
    except RuntimeError as error:
        reason = first_line(error)
        raise BundleError(f"OpenVINO cannot run {bundle.folder} in int8 ({reason}): leave --int8 out") from error
    graph = whole_graph(bundle)
    return {"int8": eight, **{name: Engine(graph, batch=BATCH, precision=name) for name in sorted(precisions)}}


def _rates(engines: Mapping[str, Engine]) -> dict[str, float]:
    """Images a second of each, the median of some rounds in turns: others may be at work on the machine too."""
    rounds = [{name: engine.rate() for name, engine in engines.items()} for _ in range(ROUNDS)]
    return {name: statistics.median(one[name] for one in rounds) for name in engines}
