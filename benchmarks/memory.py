"""Peak memory of `predict` over a folder, small against large.

    python benchmarks/memory.py BUNDLE [--few 1000] [--many 100000]

Makes small PNG files (32 px, noise), predicts the folders, and compares the peaks of resident memory.
"""

import argparse
import io
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from measuring import TELLAPART, Table, measured

DISTINCT = 50  # images; the others are hard links to them


def main() -> None:
    """Measure both folders."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle")
    parser.add_argument("--few", type=int, default=1_000)
    parser.add_argument("--many", type=int, default=100_000)
    options = parser.parse_args()
    table = Table("images", "peak memory", "seconds", "images/s")
    peaks = []
    for count in (options.few, options.many):
        with tempfile.TemporaryDirectory() as folder:
            _fill(Path(folder), count)
            took = measured([TELLAPART, "predict", options.bundle, folder, "--json"])
        answered = took.output.count("\n")
        if answered != count:
            raise SystemExit(f"{count} images, {answered} answers")
        peaks.append(took.peak_bytes)
        table.row(f"{count:,}", f"{took.peak_bytes / 1e6:.0f} MB", f"{took.seconds:.0f}", f"{count / took.seconds:.0f}")
    table.print()
    print(f"difference: {(peaks[1] - peaks[0]) / 1e6:.0f} MB   (asked: within 50)")


def _fill(folder: Path, count: int) -> None:
    noise = np.random.default_rng(0)
    for number in range(count):
        path = folder / f"{number:06d}.png"
        if number < DISTINCT:
            content = io.BytesIO()
            Image.fromarray(noise.integers(0, 256, (32, 32, 3), dtype=np.uint8)).save(content, format="PNG")
            path.write_bytes(content.getvalue())
        else:
            path.hardlink_to(folder / f"{number % DISTINCT:06d}.png")


if __name__ == "__main__":
    main()
