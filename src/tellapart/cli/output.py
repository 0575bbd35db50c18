"""Output shared by commands: one JSON object, the size of a data set, and commands to paste."""

import json
import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from tellapart.data.dataset import Dataset, ReadOptions
from tellapart.judging.confusion import ConfusionCells, most_confused
from tellapart.judging.costs import DecisionCosts
from tellapart.judging.intervals import Estimate
from tellapart.judging.per_image import Mistake
from tellapart.notebook.evaluation import NUMBERS, TITLES
from tellapart.text import TOO_FEW, counted, low_to_high, percent, printable, value_text

MAX_MATRIX_CLASSES = 100  # a larger table fills the terminal for minutes, and no line of it fits
MAIN_METRICS = ("accuracy", "balanced_accuracy", "macro_f1", "top_3", "log_loss", "uncalibrated_log_loss", "ece")


def print_json(value: dict[str, Any], *, indent: int | None = None) -> None:
    """Print the one object of `--json`; paths become text."""
    print(json.dumps(value, default=str, indent=indent))


def dataset_line(dataset: Dataset) -> str:
    """Return `clothing: 3,068 train, 341 validation, 372 test images in 10 classes`."""
    sizes = ", ".join(f"{len(split):,} {name}".removesuffix(" all") for name, split in dataset.splits.items())
    return f"{dataset.name}: {sizes} images in {len(dataset.classes):,} classes"


def command_line(command: str, source: str, read_options: ReadOptions, *, skip: Path | None = None) -> str:
    """Return `tellapart COMMAND SOURCE` with the options that read the source the same way, and perhaps `--skip`."""
    if skip is not None:
        read_options = replace(read_options, skip=skip)
    return shlex.join(["tellapart", command, source, *_options(read_options)])


def _options(read_options: ReadOptions) -> Iterator[str]:
    for field in fields(read_options):
        value = getattr(read_options, field.name)
        if value:
            yield f"--{field.name.replace('_', '-')}"
            yield ",".join(value) if isinstance(value, tuple) else str(value)


def metrics_table(metrics: Mapping[str, Any], *, every: bool = False) -> str:
    """Lay out a row per metric, the main ones or `every`, and a column per split; values with 95 % intervals."""
    header = ["", *(f"{split} (n = {_size(values)})" for split, values in metrics.items())]
    rows = [
        [title, *(_cell(name, values.get(name), values["n"]) for values in metrics.values())]
        for name, title in TITLES.items()
        if (every or name in MAIN_METRICS) and any(name in values for values in metrics.values())
    ]
    return aligned([header, *rows])


def _size(values: Mapping[str, Any]) -> str:
    """The number of images, and of their groups where these are known."""
    return f"{values['n']:,}" + (f" in {counted(values['groups'], 'group')}" if "groups" in values else "")


def cost_table(costs: DecisionCosts) -> str:
    """Lay out the mean cost of an image by each way of deciding, with 95 % intervals."""
    ways = {
        "likeliest class": costs.likeliest,
        "least expected cost": costs.cheapest,
        "the second less the first": costs.difference,
    }
    rows = [[name, f"{cost.value:.4g} ({_cost_interval(cost)})"] for name, cost in ways.items()]
    return aligned([["an image costs, deciding by", ""], *rows])


def _cost_interval(cost: Estimate) -> str:
    return TOO_FEW if cost.low == cost.high else f"{cost.low:.4g} to {cost.high:.4g}"


def mistakes_table(mistakes: Sequence[Mistake], total: int) -> str:
    """Lay out a row for each of the incorrectly predicted images, of `total`: its path and its classes."""
    if not mistakes:
        return "every image is predicted correctly"
    rows = [
        [mistake.path or str(mistake.index), mistake.true, f"{mistake.predicted} {mistake.probability:.1%}"]
        for mistake in mistakes
    ]
    return aligned([[f"incorrect: {len(rows):,} of {total:,}, most confident first", "true", "predicted"], *rows])


def confusion_table(confusion: ConfusionCells, classes: Sequence[str]) -> str:
    """Lay out counts: a row for each true class, a column for each predicted class; of many classes the worst pairs."""
    if len(classes) > MAX_MATRIX_CLASSES:
        pairs = most_confused(confusion, classes)
        rows = [[pair.true, pair.predicted, f"{pair.count:,}", percent(pair.share)] for pair in pairs]
        return aligned([["most confused: true", "predicted", "images", "share of the true class"], *rows])
    matrix = confusion.among(np.arange(len(classes))).tolist()
    header = ["true \\ predicted", *classes]
    return aligned([header, *([name, *map(str, row)] for name, row in zip(classes, matrix, strict=True))])


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Align columns: the first to the left, the others to the right. What cannot be shown is escaped."""
    table = [[shown(cell) for cell in row] for row in rows]
    widths = [max(len(cell) for cell in column) for column in zip(*table, strict=True)]
    return "\n".join(
        "  ".join(
            cell.ljust(w) if i == 0 else cell.rjust(w) for i, (cell, w) in enumerate(zip(row, widths, strict=True))
        )
        for row in table
    )


def shown(text: str) -> str:
    """Escape what a terminal would obey or standard output has no characters for, before widths are computed."""
    encoding = sys.stdout.encoding or "utf-8"
    return printable(text).encode(encoding, "backslashreplace").decode(encoding)


def _cell(name: str, estimate: Mapping[str, float] | None, n: int) -> str:
    if estimate is None:
        return "not defined"
    value, low, high = estimate["value"], estimate["low"], estimate["high"]
    form = ".3f" if name in NUMBERS else ".1%"
    return f"{value_text(value, form)} ({low_to_high(low, high, form, n=n)})"
