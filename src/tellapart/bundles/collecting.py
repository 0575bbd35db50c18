"""Any number of pictures to one file of answers, in fixed memory. Killed at any moment, it goes on where it was.

Answers gather in parts beside the file (`parts`), and are joined to it when all are there.
"""

import json
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from tellapart.bundles.bundle import MANIFEST, Bundle
from tellapart.bundles.parts import Parts, claim, workplace
from tellapart.bundles.predictor import Predictor
from tellapart.bundles.tables import Form, Row, form_of
from tellapart.data.reading import BATCH
from tellapart.files import atomic_stream, sha256
from tellapart.progress import progress, say

# What a part holds at most. A kill loses no more; each costs a few milliseconds to be made durable.
PART_ROWS, PART_CHARACTERS, PART_S = 1_000, 8_000_000, 20.0


@dataclass(frozen=True)
class Collected:
    """A finished file: how many pictures it answers, and of how many of them that they are unreadable or unknown."""

    path: Path
    pictures: int
    unreadable: int
    unknown: int


def collect(
    bundle: Bundle | str | Path,
    pictures: Iterable[str | Path],
    out: str | Path,
    *,
    top: int = 3,
    fresh: bool = False,
) -> Collected:
    """Answer for each picture with its `top` classes in a row of the file `out`: .parquet, .csv or .jsonl.

    Asked the same again after a kill, it computes only what is missing. `fresh` begins again, and replaces a finished
    file. Raises RunError where the file is finished, or was begun with other pictures or another bundle.
    """
    bundle = Bundle.of(bundle)
    out, top = Path(out), max(1, min(top, len(bundle.classes)))
    form = form_of(out)
    with workplace(out) as folder:
        identity = sha256(bundle.folder / MANIFEST)  # which has the hashes of all else
        parts = claim(folder, out, map(str, pictures), bundle=identity, top=top, fresh=fresh)
        _answer(bundle, parts)
        collected = _joined(parts, form, out)
        parts.disown()
    return collected


def _answer(bundle: Bundle, parts: Parts) -> None:
    done, total = parts.done, parts.asked.count
    if done == total:
        return
    if done:
        say(f"{done:,} of {total:,} pictures are answered already: going on")
    # The last few alone would be run one by one, and their last digits might be others than undisturbed.
    first = max(0, min(done, total - BATCH))
    answers = Predictor(bundle).predict(parts.pictures(first), top=parts.asked.top)
    with progress("predicting", total - done, "pictures") as advance:

        def lines() -> Iterator[str]:
            for answer in islice(answers, done - first, None):
                advance(1)
                yield json.dumps(answer.as_json())

        start = done
        for group in _groups(lines()):
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


def _joined(parts: Parts, form: Form, out: Path) -> Collected:
    unreadable = unknown = 0

    def counted() -> Iterator[Row]:
        nonlocal unreadable, unknown
        for row in parts.rows():
            unreadable += "error" in row
            unknown += row.get("unknown", False)
            yield row

    with atomic_stream(out, inside=parts.folder) as stream:
        form.write(stream, counted(), parts.asked.top)
    return Collected(out, parts.asked.count, unreadable, unknown)
