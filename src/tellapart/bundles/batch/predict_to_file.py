"""Any number of images to one file of answers, in fixed memory. Killed at any moment, it goes on where it was.

Answers gather in parts beside the file (`parts`), and are joined to it when all are there.
"""

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tellapart.bundles.batch.chunks import SIZE, ChunkPrediction, chunks, lines
from tellapart.bundles.batch.part_store import PartStore, claim, workplace
from tellapart.bundles.batch.table_formats import Form, Row, form_of
from tellapart.bundles.bundle import MANIFEST, Bundle
from tellapart.bundles.predictor import Predictor
from tellapart.errors import ClusterError
from tellapart.files import atomic_stream, sha256
from tellapart.jobs import Jobs
from tellapart.progress import Advance, notify, progress

# What a part holds at most. A kill loses no more; each costs a few milliseconds to be made durable.
PART_ROWS, PART_CHARACTERS, PART_S = 1_000, 8_000_000, 20.0


@dataclass(frozen=True)
class BatchSummary:
    """A finished file: how many images it answers, and of how many of them that they are unreadable or unknown."""

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
    """Answer for each image with its `top` classes in a row of the file `out`: .parquet, .csv or .jsonl.

    Asked the same again after a kill, it computes only what is missing. `fresh` begins again, and replaces a finished
    file. With `jobs` others answer, and the file is the same. Raises RunError where the file is finished, or was begun
    with other images or another bundle.
    """
    bundle = Bundle.of(bundle)
    out, top = Path(out), max(1, min(top, len(bundle.classes)))
    form = form_of(out)
    with workplace(out) as folder:
        identity = sha256(bundle.folder / MANIFEST)  # which has the hashes of all else
        parts = claim(folder, out, map(str, images), bundle=identity, top=top, fresh=fresh)
        try:
            _answer(bundle, parts, jobs)
        except ClusterError:
            if not parts.done:
                parts.disown()  # a cluster that is refused leaves nothing behind
            raise
        collected = _joined(parts, form, out)
        parts.disown()
    return collected


def _answer(bundle: Bundle, parts: PartStore, jobs: Jobs | None) -> None:
    done, total = parts.done, parts.asked.count
    if done == total:
        return
    if done:
        notify(f"{done:,} of {total:,} images are answered already: going on")
    if jobs is None:
        with progress("predicting", total - done, "images") as advance:
            _answer_here(bundle, parts, advance)
    else:
        _answer_by(jobs, bundle, parts, total - done)


def _answer_by(jobs: Jobs, bundle: Bundle, parts: PartStore, missing: int) -> None:
    answering = ChunkPrediction.by(bundle, parts.asked.bundle, parts.asked.top)
    # Whoever is to answer may have to be found first, and something said of that.
    found = jobs.run(answering, (stretch.held() for stretch in chunks(parts, SIZE)))
    with progress("predicting", missing, "images") as advance:
        for answered in found:
            parts.keep(answered.first, answered.lines)
            advance(len(answered.lines))


def _answer_here(bundle: Bundle, parts: PartStore, advance: Advance) -> None:
    """All that is missing in one stream: no core waits between two parts."""
    predictor = Predictor(bundle)
    for stretch in chunks(parts, size=parts.asked.count):
        start = stretch.first

        def counted(answers: Iterator[str]) -> Iterator[str]:
            for answer in answers:
                advance(1)
                yield answer

        for group in _groups(counted(lines(predictor, stretch, parts.asked.top))):
            parts.keep(start, group)
            start += len(group)


def _groups(lines: Iterator[str]) -> Iterator[list[str]]:
    """Give lines in groups that are large enough to be written, and small enough to be lost."""
    held: list[str] = []
    characters, since = 0, time.monotonic()
    for line in lines:
        held.append(line)
        characters += len(line)
        if len(held) == PART_ROWS or characters >= PART_CHARACTERS or time.monotonic() - since >= PART_S:
            yield held
            held, characters, since = [], 0, time.monotonic()
    if held:
        yield held


def _joined(parts: PartStore, form: Form, out: Path) -> BatchSummary:
    unreadable = unknown = 0

    def counted() -> Iterator[Row]:
        nonlocal unreadable, unknown
        for row in parts.rows():
            unreadable += "error" in row
            unknown += row.get("unknown", False)
            yield row

    with atomic_stream(out, inside=parts.folder) as stream:
        form.write(stream, counted(), parts.asked.top)
    return BatchSummary(out, parts.asked.count, unreadable, unknown)
