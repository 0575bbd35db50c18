"""A folder of 100,000 small images: listed, hashed and split; the first time, and again when little has changed.

    python benchmarks/listing.py [--count 100000] [--repeats 3]

Makes a folder of small PNG files (8 px, noise, all different) in ten classes. Each time a process of its own opens the
folder and draws its splits, which is what every command begins with: without an index of its hashes, with one, and
with one after a thousand files were added. Then the command `tellapart split`, which also decodes every image, to
keep near-duplicates together. Prints seconds and peak memory of the whole process, beside those of loading the code.
The files lie in the memory of the machine by then: a slow disk takes longer.
"""

import argparse
import sys
import tempfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np

from measuring import TELLAPART, Measured, Table, measured, median

SECONDS, BYTES = 60.0, 1e9  # asked, for the first time
CLASSES, SIDE, ADDED = 10, 8, 1_000
LOAD = "from tellapart import Dataset; from tellapart.data.splits.draw_splits import complete"
DIVIDE = """
import sys
dataset = complete(Dataset.open(sys.argv[1]), validation=0.15, test=0.15, seed=0)
print(sum(map(len, dataset.splits.values())))
"""


def main() -> None:
    """Make the files, then open them as often as asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    table = Table("opened", "median s", "asked s", "peak memory", "asked", "each, s")
    with tempfile.TemporaryDirectory() as name:
        folder, cache = Path(name) / "images", Path(name) / "cache"
        fill(folder, range(options.count))
        loaded = [measured([sys.executable, "-c", LOAD]) for _ in range(options.repeats)]
        first = [opened(folder, Path(name) / f"cache {turn}", options.count) for turn in range(options.repeats)]
        divided = [written(folder, Path(name) / f"whole {turn}") for turn in range(options.repeats)]
        opened(folder, cache, options.count)
        again = [opened(folder, cache, options.count) for _ in range(options.repeats)]
        grown = []
        for turn in range(options.repeats):
            total = options.count + turn * ADDED
            fill(folder, range(total, total + ADDED))
            grown.append(opened(folder, cache, total + ADDED))
    row(table, "not at all: code loaded", loaded)
    row(table, f"{options.count:,} files, first time", first, f"{SECONDS:.0f}", f"{BYTES / 1e6:.0f} MB")
    row(table, "again", again)
    row(table, f"with {ADDED:,} more", grown)
    row(table, "tellapart split, first time", divided)
    table.print()


def fill(folder: Path, numbers: range) -> None:
    """Write small images, each of noise of its own, class by class."""
    image = saver()
    for number in numbers:
        path = folder / f"class {number % CLASSES}" / f"{number:06d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(image(np.random.default_rng(number).bytes(SIDE * SIDE * 3)))


def saver() -> Callable[[bytes], bytes]:
    """What makes a PNG of pixels, RGB: Pillow takes ten times as long for images as small as these."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return len(data).to_bytes(4, "big") + name + data + zlib.crc32(name + data).to_bytes(4, "big")

    sides = SIDE.to_bytes(4, "big") * 2
    header = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", sides + bytes([8, 2, 0, 0, 0]))

    def image(pixels: bytes) -> bytes:
        rows = b"".join(b"\0" + pixels[at : at + SIDE * 3] for at in range(0, len(pixels), SIDE * 3))
        return header + chunk(b"IDAT", zlib.compress(rows, 1)) + chunk(b"IEND", b"")

    return image


def opened(folder: Path, cache: Path, count: int) -> Measured:
    """Open and split the folder in a process of its own; all of its images must be there."""
    took = measured([sys.executable, "-c", LOAD + DIVIDE, str(folder)], TELLAPART_CACHE=str(cache))
    if took.output.split()[-1] != str(count):
        sys.exit(f"{count} files, {took.output.strip()} in the splits")
    return took


def written(folder: Path, into: Path) -> Measured:
    """Let the command write the table of splits, near-duplicates together: it decodes every image, too."""
    words = ["--fractions", "0.7,0.15,0.15", "--save", str(into / "split.csv")]
    return measured([TELLAPART, "split", str(folder), *words], TELLAPART_CACHE=str(into / "cache"))


def row(table: Table, name: str, turns: list[Measured], *asked: str) -> None:
    """Add the medians of some turns, beside the seconds and the memory asked for, if any."""
    seconds, memory = median([one.seconds for one in turns]), median([one.peak_bytes for one in turns])
    for_seconds, for_memory = asked or ("", "")
    each = " ".join(f"{one.seconds:.1f}" for one in turns)
    table.row(name, f"{seconds:.1f}", for_seconds, f"{memory / 1e6:.0f} MB", for_memory, each)


if __name__ == "__main__":
    main()
