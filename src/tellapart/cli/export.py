"""`tellapart export`."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Literal

from cyclopts import Parameter

from tellapart.cli.options import Json
from tellapart.cli.output import print_json
from tellapart.data.dataset import Dataset
from tellapart.errors import RecipeError
from tellapart.exporting.export import ExportResult
from tellapart.exporting.export import export as export_bundle
from tellapart.exporting.int8 import Int8Comparison, export_int8
from tellapart.exporting.litert_precision import LowPrecision, PrecisionComparison, export_precision
from tellapart.files import require_unused
from tellapart.progress import notify
from tellapart.training.checkpoint_bundle import bundle_checkpoint
from tellapart.training.run import Run


def export(
    bundle: Path,
    /,
    *,
    to: Literal["openvino", "onnx", "litert", "savedmodel", "keras", "h5"],
    check: str,
    out: Path,
    input_size: Annotated[Literal["fixed", "any-size"], Parameter(name="--input")] = "fixed",
    int8: Annotated[bool, Parameter(name="--int8")] = False,  # by default --int-8
    float16: Annotated[bool, Parameter(name="--float16")] = False,
    checkpoint: int | None = None,
    json: Json = False,
) -> None:
    """Convert a bundle to another format, and compare the two on real images.

    The export takes uint8 images and returns calibrated probabilities. Beside it are labels.txt, and export.json with
    the preprocessing. An export that disagrees with the bundle is removed.

        tellapart export runs/photos/bundle --to onnx --check photos --out exports/photos
        tellapart export runs/photos --checkpoint 7 --to keras --check photos --out exports/epoch-7

    Parameters
    ----------
    bundle
        Folder of the bundle. It is not changed.
    to
        The format. Estimators such as knn and logistic can only be exported as openvino and onnx.
    check
        Labelled images, as for train: bundle and export are compared on 200 that training did not see.
    out
        A new folder for the export.
    input_size
        fixed: images of the classifier's own size. any-size: images of any height and width, which the export resizes
        itself, as tellapart does (openvino, onnx, litert, savedmodel).
    int8
        With --to openvino or litert: compute in 8 bits. Refused if it costs more than 1 point of accuracy on
        validation images, and by openvino if it is less than 1.3 times as fast here.
    float16
        With --to litert: weights of 16 bits, half the size. Refused if it costs more than 1 point of accuracy.
    checkpoint
        Export the network after this epoch of a run, counted from 1, instead of the best one: name the run's folder,
        and its own images with --check. Checkpoints are kept of the best and the last epoch, or of every one where
        the recipe says keep = "all".
    """
    _require_one_change(input_size == "any-size", int8, float16)
    dataset = Dataset.open(check)
    comparison: Int8Comparison | PrecisionComparison | None = None
    with TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        if checkpoint is not None:
            require_unused(out)
            bundle = bundle_checkpoint(Run.open(bundle), dataset, checkpoint, Path(folder) / "bundle").folder
        if int8 and to != "litert":
            exported, comparison = export_int8(bundle, dataset, to=to, out=out)
        elif int8 or float16:
            precision: LowPrecision = "int8" if int8 else "float16"
            exported, comparison = export_precision(bundle, dataset, to=to, out=out, precision=precision)
        else:
            exported = export_bundle(bundle, dataset, to=to, out=out, any_size=input_size == "any-size")
    if json:
        print_json(
            {
                "export": exported.folder,
                "format": exported.format,
                "bytes": exported.bytes,
                "agreement": exported.parity.as_json(),
                "int8": comparison.as_json() if comparison and int8 else None,
                "float16": comparison.as_json() if comparison and float16 else None,
            }
        )
    else:
        if comparison:
            print(f"{'int8:' if int8 else 'float16:':10} {comparison.summary()}")
        _print(exported)
    notify("labels.txt names the classes in the order of the output; export.json every step of the pixels")


def _require_one_change(any_size: bool, int8: bool, float16: bool) -> None:
    if any_size + int8 + float16 > 1:
        raise RecipeError(
            "--input any-size, --int8 and --float16 are three exports: choose one of them, and leave out the others"
        )


def _print(exported: ExportResult) -> None:
    parity = exported.parity
    kind = "unseen images" if parity.unseen else "images, of which training saw some"
    sizes = f", in {parity.sizes} sizes" if parity.sizes else ""
    print(
        f"agreement: run in {parity.runtime}, the same class as the bundle on {parity.same} of {parity.images} "
        f"{kind}{sizes}"
    )
    print(f"           probabilities differ by at most {parity.largest_difference:.2g}")
    print(f"size:      {exported.bytes / 1e6:.1f} MB")
    print(f"{exported.format}: {exported.folder}")
