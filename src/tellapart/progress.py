"""Progress and notices on standard error."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from tellapart.text import printable_lines

_HIDDEN: list[None] = []
"""An entry for each `hidden_progress` that is under way."""
LINE_EVERY_S = 10.0  # in a file or a pipe, plain lines replace the bar


class Advance(Protocol):
    """Reports progress: the number of units just done, and optionally a note to show."""

    def __call__(self, count: int, note: str = "") -> None:
        """Advance by `count` units."""


@contextmanager
def progress(label: str, total: int, unit: str) -> Iterator[Advance]:
    """Display a progress bar, or lines if standard error is no terminal; yields the function to advance it."""
    if _HIDDEN:
        yield _nothing
    elif sys.stderr.isatty():
        with _bar(label, total, unit) as advance:
            yield advance
    else:
        yield _lines(label, total, unit)


def notify(message: str) -> None:
    """Print a line on standard error; standard output is for results."""
    if not _HIDDEN:
        print(printable_lines(message), file=sys.stderr, flush=True)  # noqa: T201


@contextmanager
def hidden_progress() -> Iterator[None]:
    """Hide the progress and the notices of what runs inside, in any thread: the caller has progress of its own."""
    _HIDDEN.append(None)
    try:
        yield
    finally:
        _HIDDEN.pop()


def _nothing(count: int, note: str = "") -> None:
    """Take what `Advance` takes, and show nothing."""


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
            remaining = (total - done) / rate
            state = f"{done:,} of {total:,} {unit}, {rate:,.1f} a second, about {remaining:,.0f} s left"
            notify(f"{label}: {state} {latest}".rstrip())

    return advance
