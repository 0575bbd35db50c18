"""What a report of the clothing photos takes, its run's features being in the cache.

    python benchmarks/report.py PHOTOS WEIGHTS [--size 150] [--repeats 3]

Trains once without a report, then makes the report with everything in it, baselines included, each time again; then
again with the baselines that the run has kept. Prints seconds, from a command's start to its end, and the page's size.
"""

import argparse
import tempfile
from pathlib import Path

from measuring import TELLAPART, Table, measured, median

ASKED = 15.0  # seconds


def main() -> None:
    """Train, then time reports."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos")
    parser.add_argument("weights")
    parser.add_argument("--size", type=int, default=150)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        words = [options.photos, "--weights", options.weights, "--size", str(options.size), "--epochs", "10"]
        measured([TELLAPART, "train", *words, "--no-report", "--out", str(run)])
        first = [_seconds(run, fresh=True) for _ in range(options.repeats)]
        again = [_seconds(run, fresh=False) for _ in range(options.repeats)]
        size = (run / "report.html").stat().st_size
    table = Table("report", "median s", "asked s", "each")
    table.row("with its baselines", f"{median(first):.1f}", f"{ASKED:.0f}", " ".join(f"{one:.1f}" for one in first))
    table.row("again", f"{median(again):.1f}", "", " ".join(f"{one:.1f}" for one in again))
    table.print()
    print(f"report.html: {size / 1e6:.1f} MB")


def _seconds(run: Path, *, fresh: bool) -> float:
    if fresh:
        (run / "baselines.json").unlink(missing_ok=True)
    return measured([TELLAPART, "report", str(run)]).seconds


if __name__ == "__main__":
    main()
