"""`tellapart predict BUNDLE PHOTOS --out FILE` against a plain loop over the same files, in turns, in one session.

    python benchmarks/predict.py BUNDLE PHOTOS [--out parquet] [--most 1000] [--repeats 3]

The plain loop reads, decodes, resizes and infers one batch after the other, with the same decoder and the same graph,
compiled to give one batch all cores; it is warmed up first. A command's rate is the images that a run over all of
them has beyond a run over one, by the seconds that it takes longer: starting is measured by itself.
"""

import argparse
import tempfile
import time
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

import numpy as np

from measuring import TELLAPART, Measured, Table, measured, median
from tellapart.bundles.bundle import Bundle
from tellapart.data.pipeline import BATCH
from tellapart.data.read_image import read_image
from tellapart.data.sources.listing import images_under
from tellapart.engine import Engine


def main() -> None:
    """Take turns at the loop and the command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle")
    parser.add_argument("photos")
    parser.add_argument("--out", default="parquet", help="parquet, csv or jsonl")
    parser.add_argument("--most", type=int, default=1_000, help="images of the folder, spread over all of it")
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    found = list(images_under(options.photos))
    files = found[:: max(1, -(-len(found) // options.most))]
    loop = PlainLoop(Bundle.open(options.bundle))
    table = Table("turn", "plain loop", "predict --out", "ratio", "first answer", "peak memory")
    ratios, starts, peaks = [], [], []
    for turn in range(options.repeats):
        plain = loop.rate(files)
        start = _collected(options.bundle, files[:1], options.out)
        whole = _collected(options.bundle, files, options.out)
        rate = (len(files) - 1) / (whole.seconds - start.seconds)
        ratios.append(rate / plain)
        starts.append(start.seconds)
        peaks.append(whole.peak_bytes)
        memory = f"{whole.peak_bytes / 1e6:.0f} MB"
        figures = (f"{plain:.0f}/s", f"{rate:.0f}/s", f"{ratios[-1]:.2f}", f"{start.seconds:.2f} s", memory)
        table.row(str(turn + 1), *figures)
    table.print()
    print(f"{len(files):,} images, {loop.engine.precision}")
    print(f"predict / plain loop: {median(ratios):.2f}   (asked: at least 0.9)")
    print(f"a file with one answer: {median(starts):.2f} s after the start   (asked: ready within 2)")
    print(f"peak memory: {max(peaks) / 1e6:.0f} MB   (asked: under 500)")


class PlainLoop:
    """A network's graph, and a loop around it. Lives while turns are taken."""

    def __init__(self, bundle: Bundle) -> None:
        if bundle.estimator is not None:
            raise SystemExit("the plain loop is for networks: name the bundle of one")
        self._fit = bundle.preprocessing
        precision = bundle.manifest.recipe.get("precision", "auto")
        self.engine = Engine(bundle.graph, batch=BATCH, precision=precision, streams=False)
        self.engine.rate()

    def rate(self, files: Sequence[str]) -> float:
        """Images a second."""
        started, names = time.perf_counter(), iter(files)
        while batch := list(islice(names, BATCH)):
            for _ in self.engine.run([np.stack([self._fit(read_image(name)) for name in batch])]):
                pass
        return len(files) / (time.perf_counter() - started)


def _collected(bundle: str, files: Sequence[str], form: str) -> Measured:
    with tempfile.TemporaryDirectory() as folder:
        listing = Path(folder) / "files"
        listing.write_text("\n".join(files))
        script = f'exec {TELLAPART} predict "$1" - --out "$2" < "$3"'
        return measured(["sh", "-c", script, "sh", bundle, f"{folder}/answers.{form}", str(listing)])


if __name__ == "__main__":
    main()
