"""What the benchmarks share: timing, memory of a process, and a table."""

import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

median = statistics.median
TELLAPART = str(Path(sys.executable).with_name("tellapart"))


@dataclass(frozen=True)
class Measured:
    """A finished command: wall-clock seconds, peak resident memory in bytes, and what it printed."""

    seconds: float
    peak_bytes: int
    output: str


def measured(command: Sequence[str], **environment: str) -> Measured:
    """Run a command to its end and measure it. Raises when it fails."""
    started = time.perf_counter()
    process = subprocess.Popen(command, env=os.environ | environment, stdout=subprocess.PIPE, text=True)
    output = process.stdout.read() if process.stdout else ""
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - started
    if status != 0:
        sys.exit(f"{' '.join(command)} ended with status {status}")
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
