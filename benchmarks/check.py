"""What `tellapart check` of the clothing photos takes: cold, the second time, and with features and label errors.

    python benchmarks/check.py PHOTOS [--features xception] [--repeats 5] [--cache FOLDER]

Cold has an empty cache; the second time has the cache that a first left. With features, those of the frozen backbone
are in the cache before the clock starts: a backbone whose weights are not in TELLAPART_WEIGHTS is downloaded. Prints
seconds from a command's start to its end. The photos lie in the memory of the machine by then: a slow disk takes
longer.
"""

import argparse
import tempfile
from pathlib import Path

from measuring import TELLAPART, Table, measured, median

COLD, AGAIN, MORE = 12.0, 1.5, 10.0  # seconds asked; with features so many more than without


def main() -> None:
    """Time each kind of check some times."""
    options = _options()
    with tempfile.TemporaryDirectory() as folder:
        cold = [_seconds(options, Path(folder) / f"{turn}") for turn in range(options.repeats)]
        again = [_seconds(options, Path(folder) / "0") for _ in range(options.repeats)]
        cache = options.cache or Path(folder) / "0"
        words = ("--features", options.features)
        _seconds(options, cache, *words)
        featured = [_seconds(options, cache, *words) for _ in range(options.repeats)]
    table = Table("check", "median s", "asked s", "each")
    for name, asked, seconds in (
        ("cold", f"{COLD:.0f}", cold),
        ("again", f"{AGAIN:.1f}", again),
        ("again, with features and label errors", f"{median(again) + MORE:.1f}", featured),
    ):
        table.row(name, f"{median(seconds):.2f}", asked, " ".join(f"{one:.2f}" for one in seconds))
    table.print()
    print(f"features and label errors: {median(featured) - median(again):.1f} s more (asked: {MORE:.0f})")


def _seconds(options: argparse.Namespace, cache: Path, *words: str) -> float:
    findings = str(cache.with_suffix(".csv"))
    command = [TELLAPART, "check", str(options.photos), "--findings", findings, *words]
    return measured(command, allowed=(0, 1), TELLAPART_CACHE=str(cache)).seconds  # 1 says that it found problems


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--features", default="xception")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--cache", type=Path, help="one that has the features already, so that they are not computed")
    return parser.parse_args()


if __name__ == "__main__":
    main()
