"""Progress on standard error: what is done, how fast, and how long it still takes."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

LINE_EVERY_S = 10.0  # into a file or a pipe: a plain line now and then, not a redrawn bar


class Advance(Protocol):
    """Called with how many units were just done, and at will a note on how it goes."""

    def __call__(self, count: int, note: str = "") -> None:
        """Move the bar on."""


@contextmanager
def progress(label: str, total: int, unit: str) -> Iterator[Advance]:
    """Show how far a piece of work is; the value yielded is called as work is done."""
    if sys.stderr.isatty():
        with _bar(label, total, unit) as advance:
            yield advance
    else:
        yield _lines(label, total, unit)


def notify(sentence: str) -> None:
    """One line to the person, on standard error, so that standard output stays the answer."""
    print(sentence, file=sys.stderr, flush=True)  # noqa: T201


@contextmanager
def _bar(label: str, total: int, unit: str) -> Iterator[Advance]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    started, done = time.monotonic(), 0
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(label, total=total, rate="", note="")

        def advance(count: int, note: str = "") -> None:
            nonlocal done
            done += count
            rate = done / max(time.monotonic() - started, 1e-9)
            bar.update(task, advance=count, rate=f"{rate:,.1f} {unit}/s")
            if note:
                bar.update(task, note=note)

        yield advance


def _lines(label: str, total: int, unit: str) -> Advance:
    started = last = time.monotonic()
    done, latest = 0, ""

    def advance(count: int, note: str = "") -> None:
        nonlocal done, last, latest
        done += count
        latest = note or latest
        now = time.monotonic()
        if done and now - last >= LINE_EVERY_S:
            last = now
            rate = done / (now - started)
            left = (total - done) / rate
            state = f"{done:,} of {total:,} {unit}, {rate:,.1f} a second, about {left:,.0f} s left"
            notify(f"{label}: {state} {latest}".rstrip())

    return advance
