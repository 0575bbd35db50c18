"""Cost-sensitive classification: reading a table of costs, the expected cost of decisions, the cheapest decisions.

Costs are float64 (k, k), rows the true class, columns the predicted one, 0 or more in any unit.
"""

import csv
import io
import math
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tellapart.errors import DatasetError, did_you_mean
from tellapart.judging.clustered import means, proportion
from tellapart.judging.groups import Groups
from tellapart.judging.intervals import Estimate, bootstrap_mean
from tellapart.read_files import MAX_LIST_BYTES, ContentError, read_content

SEPARATORS = ",;\t"
TIE_TOLERANCE = 1e-12  # expected costs that differ by less than this share are equal

Floats = NDArray[np.float64]
Indices = NDArray[np.integer]
Rows = list[tuple[int, list[str]]]
"""Each row's line number in the file, from 1, and its cells."""


@dataclass(frozen=True)
class DecisionCosts:
    """Mean cost of an image when predicting the likeliest and the cheapest class, and the second minus the first.

    A difference below 0 is what deciding by cost saves.
    """

    likeliest: Estimate
    cheapest: Estimate
    difference: Estimate


def read_costs(path: Path, classes: tuple[str, ...]) -> Floats:
    """Read costs, float64 (k, k), in the order of `classes`, from a CSV file. Raises DatasetError.

    The first row names the predicted classes, the first column the true ones, both in any order. The separator is a
    comma, or a semicolon or tab as spreadsheets write; with these, the comma may be the decimal sign.
    """
    separator, rows = _table(path, classes)
    (line, header), body = rows[0], rows[1:]
    columns = _class_indices(header[1:], classes, f"{path}, line {line}: as predicted class")
    true = _class_indices([cells[0] for _, cells in body], classes, f"{path}, first column: as true class")
    costs = np.empty((len(classes), len(classes)))
    for row, (line, cells) in zip(true, body, strict=True):
        if len(cells) != len(header):
            raise DatasetError(
                f"{path}, line {line} has {len(cells) - 1} costs, expected {len(header) - 1}: one for each predicted "
                "class; write 0 where a mistake costs nothing"
            )
        for column, cell in zip(columns, cells[1:], strict=True):
            what = f"{path}, line {line}: the cost of predicting {classes[column]} for {classes[row]}"
            costs[row, column] = _parse_cost(cell, what, decimal_comma=separator != ",")
    return costs


def expected_cost(labels: Indices, predicted: Indices, costs: Floats, *, seed: int = 0) -> Estimate:
    """Estimate the mean cost of an image for decisions, int (n,), with a bootstrap stratified by labels, int (n,).

    Where no decision is incorrect, the high end assumes that as many images as Wilson's upper end for 0 mistakes are
    incorrect in the most expensive way.
    """
    estimate = bootstrap_mean(costs[labels, predicted], labels, rng=np.random.default_rng(seed))
    return _allow_unseen_mistakes(estimate, labels, predicted, costs)


def cheapest_classes(probs: NDArray[np.floating], costs: Floats) -> NDArray[np.intp]:
    """Choose for each image, from float (n, k), the class with the least expected cost: int (n,).

    Of equals the likeliest, so that costs of 0 and 1 choose the most probable class. Only calibrated probabilities
    give expected costs. Source: Elkan, The Foundations of Cost-Sensitive Learning (2001), 1.
    """
    probs = probs.astype(np.float64)
    expected = probs @ costs
    tied = expected <= expected.min(axis=1, keepdims=True) * (1 + TIE_TOLERANCE)
    chosen: NDArray[np.intp] = np.where(tied, probs, -1.0).argmax(axis=1)
    return chosen


def compare_decisions(
    labels: Indices, probs: NDArray[np.floating], costs: Floats, *, seed: int = 0, groups: Groups | None = None
) -> DecisionCosts:
    """Compare, image by image, predicting the cheapest class with predicting the likeliest.

    With the groups of the images the intervals are about other groups.
    """
    likeliest, cheapest = probs.argmax(axis=1), cheapest_classes(probs, costs)
    before, after = costs[labels, likeliest], costs[labels, cheapest]
    columns, rng = [before, after, after - before], np.random.default_rng(seed)
    estimates = means(columns, labels, groups, rng=rng)
    return DecisionCosts(
        likeliest=_allow_unseen_mistakes(_not_negative(estimates[0]), labels, likeliest, costs, groups),
        cheapest=_allow_unseen_mistakes(_not_negative(estimates[1]), labels, cheapest, costs, groups),
        difference=estimates[2],
    )


def _not_negative(estimate: Estimate) -> Estimate:
    return replace(estimate, low=max(estimate.low, 0.0))  # costs are 0 or more


def _allow_unseen_mistakes(
    estimate: Estimate, labels: Indices, predicted: Indices, costs: Floats, groups: Groups | None = None
) -> Estimate:
    """Raise the upper end where there is no mistake: a bootstrap knows only the mistakes it has seen."""
    if (labels != predicted).any():
        return estimate
    highest = float((costs - np.diag(costs)[:, np.newaxis]).max())  # at least 0: the diagonal minus itself
    return replace(
        estimate, high=max(estimate.high, estimate.value + highest * proportion(labels != predicted, groups).high)
    )


def _table(path: Path, classes: tuple[str, ...]) -> tuple[str, Rows]:
    """The separator that finds most class names in the first row, and the rows that are not blank."""
    text = _read_text(path)
    tables = {separator: _rows(path, text, separator) for separator in SEPARATORS}
    if not tables[","]:
        raise DatasetError(
            f"{path} is empty, expected a first row with the class names: write a cost for every mistake"
        )
    known = set(classes)
    separator = max(tables, key=lambda sign: len(known.intersection(tables[sign][0][1])))
    return separator, tables[separator]


def _read_text(path: Path) -> str:
    try:
        return read_content(path, MAX_LIST_BYTES).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DatasetError(f"{path} is not text in UTF-8: save it as 'CSV UTF-8' in the spreadsheet") from error
    except (OSError, ContentError) as error:
        reason = getattr(error, "strerror", None) or error
        raise DatasetError(f"{path} cannot be read: {reason}. Name a CSV file of costs") from error


def _rows(path: Path, text: str, separator: str) -> Rows:
    """Stripped cells; the blank rows and trailing blank cells that spreadsheets leave are dropped."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    try:
        rows = [(reader.line_num, [cell.strip() for cell in row]) for row in reader]
    except csv.Error as error:
        raise DatasetError(f"{path} is not a CSV file: line {reader.line_num}: {error}. Save it as CSV") from error
    for _, cells in rows:
        while cells and not cells[-1]:
            cells.pop()
    return [(line, cells) for line, cells in rows if cells]


def _class_indices(names: list[str], classes: tuple[str, ...], where: str) -> list[int]:
    """The index of each name in `classes`; every class must be named exactly once."""
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


def _parse_cost(cell: str, what: str, *, decimal_comma: bool) -> float:
    try:
        cost = float(cell.replace(",", ".") if decimal_comma else cell)
    except ValueError as error:
        raise DatasetError(f"{what} is {cell!r}, expected a number of 0 or more") from error
    if not math.isfinite(cost) or cost < 0:
        raise DatasetError(f"{what} is {cell}, expected a finite number of 0 or more: give gains as lower costs")
    return cost
