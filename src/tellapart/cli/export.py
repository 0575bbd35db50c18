"""`tellapart export`."""

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from tellapart.data.dataset import Dataset
from tellapart.exporting.export import Exported
from tellapart.exporting.export import export as export_bundle
from tellapart.exporting.int8 import export_int8
from tellapart.progress import notify

Int8 = Annotated[bool, Parameter(name="--int8")]  # which would else be --int-8


def export(
    bundle: Path,
    /,
    *,
    to: Literal["openvino", "onnx", "litert", "savedmodel", "keras", "h5"],
    check: str,
    out: Path,
    int8: Int8 = False,
) -> None:
    """Write a bundle in another format, and compare the two on real images right away.

    What is written takes uint8 images and gives calibrated probabilities. Beside it are labels.txt, and export.json
    with the preprocessing. An export that disagrees is removed.

    Parameters
    ----------
    bundle
        The bundle's folder. It stays as it is.
    to
        The format. Estimators such as knn and logistic can be openvino and onnx.
    check
        Labelled images, as for train: the export is run on 200 of those that training did not see.
    out
        A new folder for the export.
    int8
        With openvino: compute in 8 bits. Refused where it is under 1.3 times as fast here, or loses over 1 point.
    """
    dataset = Dataset.open(check)
    if int8:
        exported, worth = export_int8(bundle, dataset, to=to, out=out)
        print(f"int8:      {worth.sentence()}")
    else:
        exported = export_bundle(bundle, dataset, to=to, out=out)
    _print(exported)


def _print(exported: Exported) -> None:
    found = exported.parity
    kind = "unseen images" if found.unseen else "images, of which training saw some"
    print(f"agreement: run in {found.runtime}, the same class as the bundle on {found.same} of {found.images} {kind}")
    print(f"           probabilities differ by at most {found.largest_difference:.2g}")
    print(f"size:      {exported.bytes / 1e6:.1f} MB")
    print(f"{exported.format}: {exported.folder}")
    notify("labels.txt names the classes in the order of the output; export.json says how an image is made to fit")
