"""The progress of a sweep on standard error: a live table on a terminal, plain lines elsewhere."""

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tellapart.progress import LINE_EVERY_S, notify
from tellapart.recipe import Recipe
from tellapart.studies.sweep.plan import Candidate, SweepPlan, Trial, best_trial, gap
from tellapart.text import points
from tellapart.training.fitting.checkpoints import Epoch

if TYPE_CHECKING:
    from rich.live import Live
    from rich.table import Table

MAX_ROWS = 20  # rows: a terminal shows no more than its height


@dataclass
class LiveTable:
    """The finished trials, and the one that runs. Lives for one sweep."""

    columns: tuple[str, ...]
    live: "Live | None" = None
    trials: list[Trial] = field(default_factory=list)
    epochs_left: int = 0
    _running: tuple[int, Candidate, list[Epoch]] | None = None
    _trained: list[float] = field(default_factory=list)
    """Seconds of each epoch that this call has trained."""
    _shown: float = field(default_factory=time.monotonic)

    def begin_trial(self, number: int, candidate: Candidate, epochs_left: int) -> None:
        """Show that a trial begins; `epochs_left` is the most that the sweep has left, with this trial."""
        self._running, self.epochs_left = (number, candidate, []), epochs_left
        self._redraw()

    def add_epoch(self, row: Epoch) -> None:
        """Show an epoch of the running trial."""
        if self._running is None:
            return
        self._running[2].append(row)
        self._trained.append(row.seconds)
        self.epochs_left -= 1
        if self.live is None and time.monotonic() - self._shown >= LINE_EVERY_S:
            self._line(self._running[0], self._running[1].recipe, self._running[2], row)
        self._redraw()

    def end_trial(self, trial: Trial, epochs_left: int) -> None:
        """Show a finished trial, of this call or an earlier one."""
        self.trials.append(trial)
        self._running, self.epochs_left = None, epochs_left
        if self.live is None:
            self._line(trial.number, trial.recipe, trial.history, trial.best)
        self._redraw()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Hide the table inside the block, in which another progress bar is shown."""
        if self.live:
            self.live.stop()
        try:
            yield
        finally:
            if self.live:
                self.live.start()

    @property
    def left(self) -> str:
        """The remaining time, estimated from the epochs so far."""
        if not self._trained or not self.epochs_left:
            return ""
        seconds = self.epochs_left * sum(self._trained) / len(self._trained)
        return f"at most {seconds:,.0f} s left" if seconds < 120 else f"at most {seconds / 60:,.0f} min left"

    def _line(self, number: int, recipe: Recipe, history: Sequence[Epoch], row: Epoch) -> None:
        values = ", ".join(f"{name} {short(getattr(recipe, name))}" for name in self.columns)
        metrics = f"validation accuracy {row.val_accuracy:.1%}, loss {row.val_loss:.3f}, gap {points(gap(row))}"
        seconds = sum(epoch.seconds for epoch in history)
        rest = f"; {self.left}" if self.left else ""
        notify(f"trial {number}: {values}; {len(history)} epochs, {metrics}, {seconds:.1f} s{rest}")
        self._shown = time.monotonic()

    def _redraw(self) -> None:
        if self.live:
            self.live.update(self._table())

    def _table(self) -> "Table":
        from rich.table import Table

        table = Table(*header(self.columns), caption=self.left, caption_justify="left")
        best = best_trial(self.trials).number if self.trials else None
        for trial in self.trials[-MAX_ROWS:]:
            style = "bold" if trial.number == best else None
            row = cells(trial.number, trial.recipe, self.columns, trial.history, trial.best)
            table.add_row(*row, style=style)
        if self._running:
            number, candidate, rows = self._running
            table.add_row(*cells(number, candidate.recipe, self.columns, rows, rows[-1] if rows else None), style="dim")
        return table


@contextmanager
def live_table(plan: SweepPlan) -> Iterator[LiveTable]:
    """Show a sweep while the block runs."""
    if not sys.stderr.isatty():
        yield LiveTable(plan.columns)
        return
    from rich.console import Console
    from rich.live import Live

    with Live(console=Console(stderr=True)) as live:
        yield LiveTable(plan.columns, live)


def header(columns: tuple[str, ...]) -> list[str]:
    """Return the titles of `cells`."""
    return ["trial", *columns, "best epoch", "validation accuracy", "validation loss", "gap", "seconds"]


def cells(
    number: int, recipe: Recipe, columns: tuple[str, ...], history: Sequence[Epoch], row: Epoch | None
) -> list[str]:
    """Return a trial as a row of a table: its number, its varied values, and the metrics of an epoch."""
    values = [short(getattr(recipe, name)) for name in columns]
    if row is None:
        return [str(number), *values, "", "", "", "", ""]
    metrics = [f"{row.val_accuracy:.1%}", f"{row.val_loss:.3f}", points(gap(row))]
    return [
        str(number),
        *values,
        f"{row.epoch} of {len(history)}",
        *metrics,
        f"{sum(epoch.seconds for epoch in history):.1f}",
    ]


def short(value: object) -> str:
    """Return a value as a person would write it."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)
