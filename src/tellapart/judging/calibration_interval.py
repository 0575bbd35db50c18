"""The interval of the expected calibration error."""

import numpy as np
from numpy.typing import NDArray

from tellapart.judging.intervals import ENDS, RESAMPLES, Estimate, unbiased, wilson

HALVINGS = 16  # to a hundred-thousandth

Floats = NDArray[np.float64]


def calibration_error(
    gaps: Floats,
    bins: NDArray[np.int64],
    strata: NDArray[np.integer],
    *,
    rng: np.random.Generator,
    resamples: int = RESAMPLES,
) -> Estimate:
    """Estimate the sum over bins of | sum of `gaps` | / n, in [0, 1], of gaps float64 (n,) in bins and strata int (n,).

    Chance adds to every bin's gap, and an absolute value never lets it cancel: the value is too large, and
    resampling it adds as much again, so that a percentile interval lies above the truth. This interval holds the
    truths under which the value is not among the 2.5 % most unlikely on either side: the gaps are taken in the
    proportions found, made smaller or larger by one factor, with normal errors of the bins' stratified covariance.
    Source: Carpenter, Test inversion bootstrap confidence intervals (1999).
    """
    if not gaps.any():
        return Estimate(0.0, 0.0, 1 - wilson(len(gaps), len(gaps)).low)  # sure and right each time
    sums: Floats = np.bincount(bins, gaps) / len(gaps)
    errors = _errors(gaps, bins, strata, rng=rng, resamples=resamples)
    value = float(np.abs(sums).sum())
    low = _factor(sums, errors, value, ENDS[1])
    high = _factor(sums, errors, value, ENDS[0])
    return Estimate(value, min(low, 1.0) * value, min(max(high, 1.0) * value, 1.0))


def _errors(
    gaps: Floats, bins: NDArray[np.int64], strata: NDArray[np.integer], *, rng: np.random.Generator, resamples: int
) -> Floats:
    """Errors of the bins' sums: float64 (bins, resamples)."""
    sizes, width = np.bincount(strata), int(bins.max()) + 1
    factors = unbiased(sizes)
    sums = np.bincount(strata * width + bins, gaps, minlength=len(sizes) * width).reshape(len(sizes), width)
    within = np.diag(np.bincount(bins, factors[strata] * gaps**2))
    covariance = within - (sums.T * (factors / np.maximum(sizes, 1))) @ sums
    spread, axes = np.linalg.eigh(covariance)
    scales = np.sqrt(np.maximum(spread, 0.0)) / len(gaps)
    drawn: Floats = (axes * scales) @ rng.standard_normal((width, resamples))
    return drawn


def _factor(sums: Floats, errors: Floats, value: float, level: float) -> float:
    """The factor of the gaps at which `value` is the quantile `level` of what is found; 0 where it always is below."""

    def beyond(factor: float) -> bool:
        found = np.abs(factor * sums[:, np.newaxis] + errors).sum(axis=0)
        return bool(np.quantile(found, level) >= value)

    low, high = 0.0, 1.0
    while not beyond(high):
        low, high = high, 2 * high
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (low, middle) if beyond(middle) else (middle, high)
    return low
