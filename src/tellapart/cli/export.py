"""`tellapart export`."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Literal

from cyclopts import Parameter

from tellapart.cli.options import Json
from tellapart.cli.output import print_json
from tellapart.data.dataset import Dataset
from tellapart.exporting.export import ExportResult
from tellapart.exporting.export import export as export_bundle
from tellapart.exporting.int8 import export_int8
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
    int8: Annotated[bool, Parameter(name="--int8")] = False,  # by default --int-8
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
    int8
        With --to openvino: compute in 8 bits. Refused if it is less than 1.3 times as fast here, or costs more than
        1 point of accuracy.
    checkpoint
        Export the network after this epoch of a run, counted from 1, instead of the best one: name the run's folder,
        and its own images with --check. Checkpoints are kept of the best and the last epoch, with train --keep all of
        every one.
    """
    dataset, comparison = Dataset.open(check), None
    with TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        if checkpoint is not None:
            require_unused(out)
            bundle = bundle_checkpoint(Run(bundle), dataset, checkpoint, Path(folder) / "bundle").folder
        if int8:
            exported, comparison = export_int8(bundle, dataset, to=to, out=out)
        else:
            exported = export_bundle(bundle, dataset, to=to, out=out)
    if json:
        print_json(
            {
                "export": exported.folder,
                "format": exported.format,
                "bytes": exported.bytes,
                "agreement": exported.parity.as_json(),
                "int8": comparison.as_json() if comparison else None,
            }
        )
    else:
        if comparison:
            print(f"int8:      {comparison.summary()}")
        _print(exported)
    notify("labels.txt names the classes in the order of the output; export.json every step of the pixels")


def _print(exported: ExportResult) -> None:
    parity = exported.parity
    kind = "unseen images" if parity.unseen else "images, of which training saw some"
    print(
        f"agreement: run in {parity.runtime}, the same class as the bundle on {parity.same} of {parity.images} {kind}"
    )
    print(f"           probabilities differ by at most {parity.largest_difference:.2g}")
    print(f"size:      {exported.bytes / 1e6:.1f} MB")
    print(f"{exported.format}: {exported.folder}")
