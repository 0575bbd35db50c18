"""When mistakes differ in price: a table of costs, what decisions cost under it, and the cheapest decisions.

Costs are float64 (k, k), rows the true class, columns the predicted one, in any unit of 0 or more.
"""

import csv
import io
import math
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tellapart.errors import DatasetError, did_you_mean
from tellapart.judging.intervals import Estimate, bootstrap_mean, bootstrap_means, wilson

SEPARATORS = ",;\t"
ROUNDING = 1e-12  # expected costs that differ by less than this share are the same

Floats = NDArray[np.float64]
Indices = NDArray[np.integer]
Rows = list[tuple[int, list[str]]]
"""Each row's line in the file, from 1, and its cells."""


@dataclass(frozen=True)
class Costs:
    """Mean cost of an image when the likeliest class is taken and when the cheapest is, and the second less the first.

    A difference below 0 is what deciding by cost saves.
    """

    likeliest: Estimate
    cheapest: Estimate
    difference: Estimate


def read_costs(path: Path, classes: tuple[str, ...]) -> Floats:
    """Read costs, float64 (k, k), in the order of `classes`, from a CSV file. Raises DatasetError.

    The first row names the predicted classes, the first column the true ones, both in any order. Separated by commas,
    or by semicolons or tabs as spreadsheets do; with these, the comma may be the decimal sign.
    """
    separator, rows = _table(path, classes)
    (line, header), body = rows[0], rows[1:]
    columns = _places(header[1:], classes, f"{path}, line {line}: as predicted class")
    true = _places([cells[0] for _, cells in body], classes, f"{path}, first column: as true class")
    costs = np.empty((len(classes), len(classes)))
    for row, (line, cells) in zip(true, body, strict=True):
        if len(cells) != len(header):
            raise DatasetError(
                f"{path}, line {line} has {len(cells) - 1} costs, expected {len(header) - 1}: one for each predicted "
                "class; write 0 where a mistake costs nothing"
            )
        for column, cell in zip(columns, cells[1:], strict=True):
            where = f"{path}, line {line}: the cost of taking {classes[row]} for {classes[column]}"
            costs[row, column] = _cost(cell, where, decimal_comma=separator != ",")
    return costs


def expected_cost(labels: Indices, predicted: Indices, costs: Floats, *, seed: int = 0) -> Estimate:
    """Estimate the mean cost of an image for decisions, int (n,), with a bootstrap stratified by labels, int (n,).

    Where no decision is wrong, the high end takes as many images as Wilson's does for wrong in the dearest way.
    """
    found = bootstrap_mean(costs[labels, predicted], labels, rng=np.random.default_rng(seed))
    return _with_unseen(found, labels, predicted, costs)


def cheapest(probs: NDArray[np.floating], costs: Floats) -> NDArray[np.intp]:
    """Choose for each image, from float (n, k), the class with the least expected cost: int (n,).

    Among equals the likeliest, so that costs of 0 and 1 choose the most probable class. It pays with calibrated
    probabilities only. Source: Elkan, The Foundations of Cost-Sensitive Learning (2001), 1.
    """
    exact = probs.astype(np.float64)
    expected = exact @ costs
    near = expected <= expected.min(axis=1, keepdims=True) * (1 + ROUNDING)
    chosen: NDArray[np.intp] = np.where(near, exact, -1.0).argmax(axis=1)
    return chosen


def decide(labels: Indices, probs: NDArray[np.floating], costs: Floats, *, seed: int = 0) -> Costs:
    """Judge what deciding by cost saves, image by image, against taking the likeliest class."""
    likeliest, best = probs.argmax(axis=1), cheapest(probs, costs)
    before, after = costs[labels, likeliest], costs[labels, best]
    found = bootstrap_means([before, after, after - before], labels, rng=np.random.default_rng(seed))
    return Costs(
        likeliest=_with_unseen(found[0], labels, likeliest, costs),
        cheapest=_with_unseen(found[1], labels, best, costs),
        difference=found[2],
    )


def _with_unseen(found: Estimate, labels: Indices, predicted: Indices, costs: Floats) -> Estimate:
    """Give a cost without a mistake an upper end: a bootstrap knows only the mistakes it has seen."""
    if (labels != predicted).any():
        return found
    dearest = float((costs - np.diag(costs)[:, np.newaxis]).max())  # at least 0, as a diagonal less itself is
    return replace(found, high=max(found.high, found.value + dearest * wilson(0, len(labels)).high))


def _table(path: Path, classes: tuple[str, ...]) -> tuple[str, Rows]:
    """The separator that makes most class names of the first row, and the rows that are not blank."""
    text = _text(path)
    tables = {separator: _rows(path, text, separator) for separator in SEPARATORS}
    if not tables[","]:
        raise DatasetError(
            f"{path} is empty, expected a first row with the class names: write a cost for every mistake"
        )
    known = set(classes)
    separator = max(tables, key=lambda one: len(known.intersection(tables[one][0][1])))
    return separator, tables[separator]


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise DatasetError(f"{path} cannot be read: {error.strerror or error}. Name a CSV file of costs") from error
    except UnicodeDecodeError as error:
        raise DatasetError(f"{path} is not text in UTF-8: save it as 'CSV UTF-8' in the spreadsheet") from error


def _rows(path: Path, text: str, separator: str) -> Rows:
    """Cells without blanks around them; blank cells at a row's end, and blank rows, are a spreadsheet's leavings."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    try:
        rows = [(reader.line_num, [cell.strip() for cell in row]) for row in reader]
    except csv.Error as error:
        raise DatasetError(f"{path} is not a CSV file: line {reader.line_num}: {error}. Save it as CSV") from error
    for _, cells in rows:
        while cells and not cells[-1]:
            cells.pop()
    return [(line, cells) for line, cells in rows if cells]


def _places(names: list[str], classes: tuple[str, ...], where: str) -> list[int]:
    """The index of each name among the classes, each of which is there once."""
    for name in names:
        if name not in classes:
            raise DatasetError(f"{where}, {name!r} is not a class of this classifier: {did_you_mean(name, classes)}")
        if names.count(name) > 1:
            raise DatasetError(
                f"{where}, {name!r} is there {names.count(name)} times, expected once: remove the others"
            )
    missing = [name for name in classes if name not in names]
    if missing:
        raise DatasetError(
            f"{where}, {', '.join(missing)} is missing: every class needs its costs, 0 where it has none"
        )
    return [classes.index(name) for name in names]


def _cost(cell: str, where: str, *, decimal_comma: bool) -> float:
    try:
        cost = float(cell.replace(",", ".") if decimal_comma else cell)
    except ValueError as error:
        raise DatasetError(f"{where} is {cell!r}, expected a number of 0 or more") from error
    if not math.isfinite(cost) or cost < 0:
        raise DatasetError(f"{where} is {cell}, expected a finite number of 0 or more: give gains as lower costs")
    return cost
