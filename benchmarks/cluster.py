"""A Ray cluster of this machine against this process alone, in turns, in one session: each side a process of its own.

    python benchmarks/cluster.py BUNDLE PHOTOS [--images 20000] [--turns 3] [--workers 2]   the rate of prediction
    python benchmarks/cluster.py BUNDLE PHOTOS --memory      peaks at 10,000 and 100,000 images
    python benchmarks/cluster.py BUNDLE PHOTOS --kills 20    workers killed at random moments, every row checked
    python benchmarks/cluster.py --search                    25 trials of a search, until the winner is known

The images are links to the photos, again and again, each with a name of its own. Seconds count from the first path
to the finished file: the start of the cluster is reported by itself, that of its workers is in them, as the loading of
the bundle is for the embedded side.
"""

import argparse
import random
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, replace
from itertools import cycle
from multiprocessing import get_context
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import psutil

from measuring import Table, median
from tellapart import Dataset, Recipe, search
from tellapart.bundles.batch.chunks import CHUNK_IMAGES
from tellapart.bundles.batch.predict_to_file import predict_to_file
from tellapart.data.sources.listing import images_under
from tellapart.data.splits.draw_splits import draw_splits
from tellapart.files import sha256
from tellapart.scale.cluster import ray_cluster

RATE, MEMORY_MB, SEARCH = 0.85, 100, 1.25  # what was asked
FEW, MANY = 10_000, 100_000
WORKER = "ray::Worker"  # how Ray names the process of an actor of scale/ray_jobs.py
LOOK_S = 0.5  # between two looks at the workers' memory
SOON_S = 1.5  # at most until a worker is killed whose moment has come
SPACE = ("units=256:512:32", "learning_rate=1e-2,1e-3,1e-4")
MAX_EPOCHS, FACTOR = 16, 4  # 16, 6 and 3 trials begin
Given = ParamSpec("Given")
Out = TypeVar("Out")


@dataclass(frozen=True)
class Side:
    """What one side took: seconds, those of its cluster's start, peaks of resident memory in bytes, workers killed."""

    seconds: float
    start: float
    driver: int
    worker: int
    killed: int = 0


@dataclass(frozen=True)
class Found:
    """What a search took until its winner was known, and in all; its trials' numbers, best first, with their epochs."""

    seconds: float
    in_all: float
    start: float
    trials: tuple[Any, ...]


def main() -> None:
    """Do the part asked for."""
    options = _options()
    if options.search:
        compare_searches(options)
        return
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        if options.memory:
            compare_memory(options, place)
        elif options.kills:
            kill_workers(options, place)
        else:
            compare_rates(options, place)


def compare_rates(options: argparse.Namespace, place: Path) -> None:
    """Take turns; who begins changes too."""
    images, ratios = linked(options.photos, options.images, place), []
    table = Table("turn", "embedded", "Ray", "ratio", "start of the cluster", "driver", "a worker")
    for turn in range(options.turns):
        sides = {}
        for workers in (0, options.workers)[:: 1 if turn % 2 == 0 else -1]:
            sides[workers] = apart(predicted, options.bundle, images, place / f"{turn}-{workers}.parquet", workers)
        here, there = sides[0], sides[options.workers]
        require_equal(place / f"{turn}-0.parquet", place / f"{turn}-{options.workers}.parquet")
        ratios.append(here.seconds / there.seconds)
        rates = (f"{options.images / side.seconds:.0f}/s" for side in (here, there))
        table.row(str(turn + 1), *rates, f"{ratios[-1]:.2f}", f"{there.start:.1f} s", *_peaks(there))
    table.print()
    print(f"{options.images:,} images, {options.workers} workers; the files are the same bytes")
    size = sum(path.stat().st_size for path in images.iterdir()) / options.images
    row = (place / "0-0.parquet").stat().st_size / options.images
    again = len({path.resolve() for path in images.iterdir()}) < options.images
    print(f"an image has {size / 1e3:.1f} kB, its row {row:.1f} bytes{', more where none comes twice' * again}")
    print(f"Ray / embedded: {median(ratios):.2f}   (asked: at least {RATE})")


def compare_memory(options: argparse.Namespace, place: Path) -> None:
    """Few images and many, both on the cluster."""
    sides, table = [], Table("images", "driver", "a worker", "images/s")
    for count in (FEW, MANY):
        images = linked(options.photos, count, place / str(count))
        sides.append(apart(predicted, options.bundle, images, place / f"{count}.parquet", options.workers))
        table.row(f"{count:,}", *_peaks(sides[-1]), f"{count / sides[-1].seconds:.0f}")
    table.print()
    few, many = sides
    for name, more in (("driver", many.driver - few.driver), ("a worker", many.worker - few.worker)):
        print(f"{name}: {more / 1e6:.0f} MB more   (asked: within {MEMORY_MB})")


def kill_workers(options: argparse.Namespace, place: Path) -> None:
    """Kill workers with SIGKILL at random moments, spread over all images, and look at each row of the file."""
    images, (whole, out) = linked(options.photos, options.images, place), (place / "0.parquet", place / "1.parquet")
    here = apart(predicted, options.bundle, images, whole, 0)
    there = apart(predicted, options.bundle, images, out, options.workers, options.kills)
    answered, expected = rows_of(out), rows_of(whole)
    asked = list(images_under(str(images)))
    missing, twice = set(asked) - {row["path"] for row in answered}, len(answered) - len({r["path"] for r in answered})
    other = sum(one != two for one, two in zip(answered, expected, strict=True))
    print(f"{there.killed} workers killed in {there.seconds:.0f} s; undisturbed and embedded {here.seconds:.0f} s")
    print(f"{len(answered):,} rows for {len(asked):,} images: {len(missing)} missing, {twice} twice, {other} other")
    print(f"the order is {'as asked' if [row['path'] for row in answered] == asked else 'another'}")
    require_equal(whole, out)
    if there.killed < options.kills:
        raise SystemExit(f"it ended before {options.kills} were killed: take more --images")


def compare_searches(options: argparse.Namespace) -> None:
    """The same search by processes of this machine and by workers of a cluster, in turns."""
    ratios, table = [], Table("turn", "embedded", "Ray", "ratio", "in all", "start of the cluster")
    for turn in range(options.turns):
        with tempfile.TemporaryDirectory() as folder:
            sides = {}
            for ray in (False, True)[:: 1 if turn % 2 == 0 else -1]:
                sides[ray] = apart(searched, options.source, options.trial_images, folder, options.workers, ray)
        here, there = sides[False], sides[True]
        if here.trials != there.trials:
            raise SystemExit("the two searches have unlike trials")
        ratios.append(there.seconds / here.seconds)
        seconds = (f"{here.seconds:.1f} s", f"{there.seconds:.1f} s", f"{ratios[-1]:.2f}")
        table.row(str(turn + 1), *seconds, f"{there.in_all / here.in_all:.2f}", f"{there.start:.1f} s")
    table.print()
    print(f"{len(here.trials)} trials, the same ones in the same order; seconds until the winner is known")
    print(f"Ray / embedded: {median(ratios):.2f}   (asked: at most {SEARCH})")


def apart(work: Callable[Given, Out], *words: Given.args, **named: Given.kwargs) -> Out:
    """Do it in a process of its own: what it imports, holds and leaves running is nobody else's."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as one:
        return one.submit(work, *words, **named).result()


def predicted(bundle: str, images: Path, out: Path, workers: int, kills: int = 0) -> Side:
    """Answer for a folder here, or with workers of a cluster, of which some are killed."""
    asked = time.perf_counter()
    with ray_cluster("ray", workers) if workers else nullcontext() as jobs:
        started = time.perf_counter()
        with watched(moments(kills, images), out) as seen:
            predict_to_file(bundle, images_under(str(images)), out, jobs=jobs)
        seconds = time.perf_counter() - started
    return Side(seconds, started - asked, peak_of(psutil.Process()), seen.worker, seen.killed)


def searched(source: str, images: int, folder: str, workers: int, ray: bool) -> Found:
    """Search, and leave the winner's bundle."""
    whole = draw_splits(Dataset.open(source), validation=0.1, test=0.1, seed=0)
    splits = {name: split.take(range(min(images, len(split)))) for name, split in whole.splits.items()}
    recipe, out, asked = Recipe(model="mlp", dropout=0.0, batch_size=32), Path(folder) / f"ray-{ray}", time.time()
    with ray_cluster("ray", workers) if ray else nullcontext() as jobs:
        started = time.time()  # comparable with the time of a file
        crew: dict[str, Any] = {"jobs": jobs} if ray else {"workers": workers}
        few = replace(whole, splits=splits)
        found = search(few, recipe, SPACE, out=out, max_epochs=MAX_EPOCHS, factor=FACTOR, **crew)
        seconds, in_all = (out / "best.toml").stat().st_mtime - started, time.time() - started
    trials = tuple((one.number, *((row.epoch, row.val_loss) for row in one.history)) for one in found.trials)
    return Found(seconds, in_all, started - asked, trials)


@dataclass
class Seen:
    """What was seen of the workers so far."""

    worker: int = 0
    killed: int = 0


@contextmanager
def watched(moments: list[int], out: Path) -> Iterator[Seen]:
    """Look at the workers' memory while the block runs, and kill one soon after each number of answers in `moments`."""
    seen, ended, parts, rng = Seen(), threading.Event(), out.with_name(f"{out.name}.parts"), chance()

    def look() -> None:
        while not ended.wait(LOOK_S):
            seen.worker = max([seen.worker, *map(peak_of, workers_now())])

    def kill() -> None:
        while seen.killed < len(moments) and not ended.wait(rng.uniform(0, SOON_S)):
            found, answered = workers_now(), CHUNK_IMAGES * sum(1 for _ in parts.glob("part-*"))
            if found and answered >= moments[seen.killed]:
                rng.choice(found).kill()
                seen.killed += 1

    threads = [threading.Thread(target=work) for work in (look, kill)]
    for thread in threads:
        thread.start()
    try:
        yield seen
    finally:
        ended.set()
        for thread in threads:
            thread.join()


def moments(kills: int, images: Path) -> list[int]:
    """Before how many answers of a folder's images each kill is not to come, in order."""
    count = sum(1 for _ in images.iterdir())
    return sorted(chance().randrange(int(0.9 * count)) for _ in range(kills))


def chance() -> random.Random:
    """The same in each run."""
    return random.Random(0)  # noqa: S311  chance, not secrecy


def workers_now() -> list[psutil.Process]:
    """The workers of the cluster that this process has started."""
    found = []
    for one in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):
            if " ".join(one.cmdline()).startswith(WORKER):
                found.append(one)
    return found


def peak_of(process: psutil.Process) -> int:
    """The most resident memory that a process has held, bytes; 0 of one that is no more."""
    with suppress(OSError, StopIteration):
        lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) * 1024
    return 0


def linked(photos: str, count: int, place: Path) -> Path:
    """A folder of that many images: links to the photos, one after the other, again and again."""
    found, folder = list(images_under(photos)), place / "images"
    folder.mkdir(parents=True)
    for number, path in zip(range(count), cycle(found), strict=False):
        (folder / f"{number:06d}{Path(path).suffix}").symlink_to(Path(path).resolve())
    return folder


def rows_of(table: Path) -> list[dict[str, Any]]:
    """The answers of a file."""
    from pyarrow import parquet

    rows: list[dict[str, Any]] = parquet.read_table(table).to_pylist()
    return rows


def require_equal(one: Path, other: Path) -> None:
    """End where two files differ."""
    if sha256(one) != sha256(other):
        raise SystemExit(f"{one.name} and {other.name} differ")


def _peaks(side: Side) -> tuple[str, str]:
    return f"{side.driver / 1e6:.0f} MB", f"{side.worker / 1e6:.0f} MB"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", nargs="?")
    parser.add_argument("photos", nargs="?")
    parser.add_argument("--images", type=int, default=20_000)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--memory", action="store_true")
    parser.add_argument("--kills", type=int, default=0)
    parser.add_argument("--search", action="store_true")
    parser.add_argument("--source", default="fashion-mnist", help="of --search")
    parser.add_argument("--trial-images", type=int, default=20_000, help="of --search: of each split")
    options = parser.parse_args()
    if not (options.search or options.photos):
        parser.error("a bundle and a folder of photos are needed for all but --search")
    return options


if __name__ == "__main__":  # a process of a side's own imports this file again
    main()
