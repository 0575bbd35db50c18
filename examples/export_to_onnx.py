"""Export a bundle to ONNX, and run the exported model without tellapart.

    python examples/export_to_onnx.py runs/digits/bundle digits exports/digits

Prints the size of the export and what it predicts for a black image.
"""

import sys
from pathlib import Path

import numpy as np
import onnxruntime

from tellapart import Bundle, Dataset
from tellapart.exporting.export import export


def main(bundle: str, source: str, out: Path) -> None:
    """Export into the new folder `out`; the export is compared with the bundle on images of `source`."""
    exported = export(bundle, Dataset.open(source), to="onnx", out=out)
    print(f"{exported.format}: {exported.bytes:,} bytes in {exported.folder}")

    shape = Bundle.open(bundle).preprocessing
    images = np.zeros((2, shape.height, shape.width, shape.channels), np.uint8)
    session = onnxruntime.InferenceSession(next(out.glob("*.onnx")))
    (probabilities,) = session.run(["probabilities"], {"pictures": images})
    labels = (out / "labels.txt").read_text().splitlines()
    print(f"a black image is predicted as {labels[probabilities[0].argmax()]}")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
