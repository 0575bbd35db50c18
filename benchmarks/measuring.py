"""What the benchmarks share: timing, memory of a process, and a table."""

import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

median = statistics.median
# As where it is installed: with its bytecode kept, once the first run has written it.
INSTALLED = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
TELLAPART = str(Path(sys.executable).with_name("tellapart"))


@dataclass(frozen=True)
class Measured:
    """A finished command: wall-clock seconds, peak resident memory in bytes, and what it printed."""

    seconds: float
    peak_bytes: int
    output: str


def measured(command: Sequence[str], *, allowed: Collection[int] = (0,), **environment: str) -> Measured:
    """Run a command to its end and measure it. Ends this program when it ends with a status that is not allowed."""
    started = time.perf_counter()
    process = subprocess.Popen(command, env=INSTALLED | environment, stdout=subprocess.PIPE, text=True)
    output = process.stdout.read() if process.stdout else ""
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - started
    if os.waitstatus_to_exitcode(status) not in allowed:
        sys.exit(f"{' '.join(command)} ended with status {os.waitstatus_to_exitcode(status)}")
    return Measured(seconds, usage.ru_maxrss * 1024, output)


def own_peak_bytes() -> int:
    """Peak resident memory of this process."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


class Table:
    """Rows printed in columns. Lives while rows are added."""

    def __init__(self, *header: str) -> None:
        self._rows = [header]

    def row(self, *cells: str) -> None:
        """Add a row."""
        self._rows.append(cells)

    def print(self) -> None:
        """Print all rows."""
        widths = [max(len(cell) for cell in column) for column in zip(*self._rows, strict=True)]
        for row in self._rows:
            print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)))
