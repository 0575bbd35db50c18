"""LiteRT in int8 or with weights in float16, accepted only if it is about as accurate as the bundle."""

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from tellapart.bundles.bundle import Bundle
from tellapart.bundles.compile import compile_bundle
from tellapart.bundles.evaluate import training_splits
from tellapart.data.dataset import Dataset, Split
from tellapart.data.pipeline import BATCH
from tellapart.errors import BundleError, RecipeError
from tellapart.exporting.export import ExportResult, write_metadata
from tellapart.exporting.formats import format_for
from tellapart.exporting.int8 import (
    MAX_ACCURACY_LOSS,
    calibration_images,
    evaluate_pair,
    is_accurate,
    summarize_accuracy,
)
from tellapart.exporting.litert_formats import write_float16, write_int8
from tellapart.exporting.parity import (
    Images,
    Probabilities,
    Runtime,
    bundle_probabilities,
    check_parity,
    draw_sample,
    litert,
    require_parity,
)
from tellapart.files import atomic_folder, require_unused, storage_errors
from tellapart.judging.paired import Comparison
from tellapart.progress import notify
from tellapart.silence import silence_libraries

LowPrecision = Literal["int8", "float16"]


@dataclass(frozen=True)
class PrecisionComparison:
    """Accuracy on validation images of an export and of its bundle in float32, and the size of the export in bytes."""

    precision: LowPrecision
    accuracy: float
    float_accuracy: float
    comparison: Comparison
    same: int
    """Validation images with the same predicted class."""
    largest_difference: float
    """Of a probability."""
    bytes: int

    @property
    def accurate(self) -> bool:
        """True if at most a point of accuracy is lost."""
        return is_accurate(self.comparison)

    def summary(self) -> str:
        """Summarize accuracy with its paired 95% interval, agreement and size."""
        return (
            f"{summarize_accuracy(self.accuracy, self.float_accuracy, self.comparison)}, the same class on"
            f" {self.same:,}, probabilities differ by up to {self.largest_difference:.2g}; "
            f"{self.bytes / 1e6:.3g} MB"
        )

    def as_json(self) -> dict[str, object]:
        """Return the fields for `export.json`."""
        return {**asdict(self), "comparison": self.comparison.as_json()}


@dataclass(frozen=True)
class _RuntimeRunner:
    """The runtime of an export as a Runner."""

    runtime: Runtime
    batch: int = BATCH

    def run(self, batches: Iterable[Images]) -> Iterator[Probabilities]:
        """Yield float32 (len(batch), classes) for each batch."""
        return (np.asarray(self.runtime.predict(batch)) for batch in batches if len(batch))


def compare_precision(bundle: Bundle, path: Path, validation: Split, precision: LowPrecision) -> PrecisionComparison:
    """Evaluate an export and its bundle on the same images. Raises DatasetError if no image can be read."""
    full = compile_bundle(bundle, batch=BATCH, precision="float32")
    reduced, float32, comparison = evaluate_pair(bundle, validation, precision, _RuntimeRunner(litert(path)), full)
    return PrecisionComparison(
        precision=precision,
        accuracy=reduced.accuracy.value,
        float_accuracy=float32.accuracy.value,
        comparison=comparison,
        same=int(np.count_nonzero(reduced.probs.argmax(axis=1) == float32.probs.argmax(axis=1))),
        largest_difference=float(np.abs(reduced.probs - float32.probs).max()),
        bytes=path.stat().st_size,
    )


def export_precision(
    bundle: Bundle | str | Path, dataset: Dataset, *, to: str, out: Path, precision: LowPrecision
) -> tuple[ExportResult, PrecisionComparison]:
    """Write a network as LiteRT in a lower precision into the new folder `out`; int8 is calibrated on training images.

    Raises BundleError if it loses more than a point of accuracy on validation images, or in float16 disagrees with
    the bundle; RecipeError for a format other than litert, and the errors of `export`.
    """
    if to != "litert":
        raise RecipeError(f"{precision} requires LiteRT: use --to litert --{precision}, or leave out --{precision}")
    bundle = Bundle.of(bundle)
    bundle.verify()
    require_unused(out)
    target = format_for(bundle, to)
    train, validation = training_splits(bundle, dataset, "train", "validation")
    sample = draw_sample(bundle, dataset)
    with atomic_folder(out) as partial_folder:
        path = partial_folder / target.file
        _write(bundle, path, train, precision)
        comparison = compare_precision(bundle, path, validation, precision)
        if not comparison.accurate:
            raise BundleError(
                f"{precision} loses too much for {bundle.folder}: {comparison.summary()}. Expected at most "
                f"{100 * MAX_ACCURACY_LOSS:.0f} point lost; nothing was written. Export it without --{precision}"
            )
        parity = check_parity(litert(path), sample, bundle_probabilities(bundle, sample.images))
        if precision == "float16":
            require_parity(parity)
        fields = {"format": to, "file": target.file, "agreement": parity.as_json(), precision: comparison.as_json()}
        write_metadata(bundle, partial_folder, fields)
    return ExportResult(out, to, comparison.bytes, parity), comparison


def _write(bundle: Bundle, path: Path, train: Split, precision: LowPrecision) -> None:
    with storage_errors(path.parent):
        if precision == "float16":
            with silence_libraries():
                write_float16(bundle, path)
            return
        images = calibration_images(bundle, train)
        notify(f"int8: calibrating on {len(images)} training images")
        with silence_libraries():
            write_int8(bundle, path, images)
