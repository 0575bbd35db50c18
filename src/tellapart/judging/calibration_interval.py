"""Confidence interval of the expected calibration error."""

import numpy as np
from numpy.typing import NDArray

from tellapart.judging.intervals import QUANTILES, RESAMPLES, Estimate, bessel_factors, wilson

BISECTIONS = 16  # to a hundred-thousandth

Floats = NDArray[np.float64]


def estimate_ece(
    gaps: Floats,
    bins: NDArray[np.int64],
    strata: NDArray[np.integer],
    *,
    rng: np.random.Generator,
    resamples: int = RESAMPLES,
) -> Estimate:
    """Estimate the sum over bins of | sum of `gaps` | / n, in [0, 1], of gaps float64 (n,) in bins and strata int (n,).

    Chance adds to every bin's gap, and the absolute value keeps it from cancelling: the value is biased upwards, and
    resampling adds the same bias again, so that a percentile interval is too high. This interval inverts a test
    instead: it contains the true values under which the measured one is not among the 2.5 % most unlikely on either
    side. The bins' gaps keep their measured proportions, are scaled by one factor, and have normal errors with the
    bins' stratified covariance. Source: Carpenter, Test inversion bootstrap confidence intervals (1999).
    """
    if not gaps.any():
        return Estimate(0.0, 0.0, 1 - wilson(len(gaps), len(gaps)).low)  # certain and correct each time
    sums: Floats = np.bincount(bins, gaps) / len(gaps)
    errors = _errors(gaps, bins, strata, rng=rng, resamples=resamples)
    value = float(np.abs(sums).sum())
    low = _factor(sums, errors, value, QUANTILES[1])
    high = _factor(sums, errors, value, QUANTILES[0])
    return Estimate(value, min(low, 1.0) * value, min(max(high, 1.0) * value, 1.0))


def _errors(
    gaps: Floats, bins: NDArray[np.int64], strata: NDArray[np.integer], *, rng: np.random.Generator, resamples: int
) -> Floats:
    """Draw errors of the bins' sums: float64 (bins, resamples)."""
    sizes, width = np.bincount(strata), int(bins.max()) + 1
    factors = bessel_factors(sizes)
    sums = np.bincount(strata * width + bins, gaps, minlength=len(sizes) * width).reshape(len(sizes), width)
    within = np.diag(np.bincount(bins, factors[strata] * gaps**2))
    covariance = within - (sums.T * (factors / np.maximum(sizes, 1))) @ sums
    variances, axes = np.linalg.eigh(covariance)
    scales = np.sqrt(np.maximum(variances, 0.0)) / len(gaps)
    drawn: Floats = (axes * scales) @ rng.standard_normal((width, resamples))
    return drawn


def _factor(sums: Floats, errors: Floats, value: float, level: float) -> float:
    """The factor of the gaps at which `value` is the quantile `level` of the statistic; 0 where it is below for all."""

    def beyond(factor: float) -> bool:
        statistic = np.abs(factor * sums[:, np.newaxis] + errors).sum(axis=0)
        return bool(np.quantile(statistic, level) >= value)

    low, high = 0.0, 1.0
    while not beyond(high):
        low, high = high, 2 * high
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        low, high = (low, middle) if beyond(middle) else (middle, high)
    return low
