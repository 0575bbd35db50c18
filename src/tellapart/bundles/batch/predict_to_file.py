"""Prediction of any number of images to one file, in constant memory. It resumes after an interruption.

Predictions are stored in parts next to the file (`part_store`), and are merged when all are complete.
"""

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tellapart.bundles.batch.chunks import CHUNK_IMAGES, ChunkPrediction, missing_chunks, predict_lines
from tellapart.bundles.batch.part_store import PartStore, open_part_store, part_folder
from tellapart.bundles.batch.table_formats import Row, TableFormat, table_format_for
from tellapart.bundles.bundle import Bundle
from tellapart.bundles.manifest import MANIFEST
from tellapart.bundles.predictor import Predictor
from tellapart.errors import ClusterError
from tellapart.files import atomic_stream, sha256
from tellapart.jobs import Jobs
from tellapart.progress import Advance, notify, progress

# Limits of a part. An interruption loses at most one; each takes a few milliseconds to write durably.
PART_ROWS, PART_CHARACTERS, PART_S = 1_000, 8_000_000, 20.0


@dataclass(frozen=True)
class BatchSummary:
    """A finished file: the number of its images, and how many are unreadable or unknown."""

    path: Path
    images: int
    unreadable: int
    unknown: int


def predict_to_file(
    bundle: Bundle | str | Path,
    images: Iterable[str | Path],
    out: str | Path,
    *,
    top: int = 3,
    fresh: bool = False,
    jobs: Jobs | None = None,
) -> BatchSummary:
    """Predict the `top` classes of each image, and write them to the file `out`: .parquet, .csv or .jsonl.

    After an interruption, the same call computes only what is missing. `fresh` starts again and replaces a finished
    file. With `jobs`, workers predict, and the file is the same. Raises RunError if the file is finished, or was
    started with other images or another bundle.
    """
    bundle = Bundle.of(bundle)
    out, top = Path(out), max(1, min(top, len(bundle.classes)))
    table_format = table_format_for(out)
    with part_folder(out) as folder:
        identity = sha256(bundle.folder / MANIFEST)  # which has the hashes of all other files
        store = open_part_store(folder, out, map(str, images), bundle=identity, top=top, fresh=fresh)
        try:
            _predict(bundle, store, jobs)
        except ClusterError:
            if not store.done:
                store.release()  # a refused cluster leaves nothing behind
            raise
        summary = _merge(store, table_format, out)
        store.release()
    return summary


def _predict(bundle: Bundle, store: PartStore, jobs: Jobs | None) -> None:
    done, total = store.done, store.settings.count
    if done == total:
        return
    if done:
        notify(f"{done:,} of {total:,} images are already predicted: resuming")
    if jobs is None:
        with progress("predicting", total - done, "images") as advance:
            _predict_here(bundle, store, advance)
    else:
        _predict_by_jobs(jobs, bundle, store, total - done)


def _predict_by_jobs(jobs: Jobs, bundle: Bundle, store: PartStore, missing: int) -> None:
    job = ChunkPrediction.of(bundle, store.settings.bundle, store.settings.top)
    # Before the progress bar, since the jobs may report how they start.
    results = jobs.run(job, (chunk.load_paths() for chunk in missing_chunks(store, CHUNK_IMAGES)))
    with progress("predicting", missing, "images") as advance:
        for result in results:
            store.add(result.first, result.lines)
            advance(len(result.lines))


def _predict_here(bundle: Bundle, store: PartStore, advance: Advance) -> None:
    """Predict all missing images in one stream, so that no core idles between parts."""
    predictor = Predictor(bundle)
    for chunk in missing_chunks(store, size=store.settings.count):
        start = chunk.first

        def counted(lines: Iterator[str]) -> Iterator[str]:
            for line in lines:
                advance(1)
                yield line

        for group in _groups(counted(predict_lines(predictor, chunk, store.settings.top))):
            store.add(start, group)
            start += len(group)


def _groups(lines: Iterator[str]) -> Iterator[list[str]]:
    """Group lines to parts that are worth writing, and small enough to lose."""
    group: list[str] = []
    characters, since = 0, time.monotonic()
    for line in lines:
        group.append(line)
        characters += len(line)
        if len(group) == PART_ROWS or characters >= PART_CHARACTERS or time.monotonic() - since >= PART_S:
            yield group
            group, characters, since = [], 0, time.monotonic()
    if group:
        yield group


def _merge(store: PartStore, table_format: TableFormat, out: Path) -> BatchSummary:
    unreadable = unknown = 0

    def counted() -> Iterator[Row]:
        nonlocal unreadable, unknown
        for row in store.rows():
            unreadable += "error" in row
            unknown += row.get("unknown", False)
            yield row

    with atomic_stream(out, inside=store.folder) as stream:
        table_format.write(stream, counted(), store.settings.top)
    return BatchSummary(out, store.settings.count, unreadable, unknown)
