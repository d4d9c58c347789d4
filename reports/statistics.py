"""Intervals over seeds alone, shares of the variance, and of the way from none to full.

The interval is Student's t with n - 1 degrees of freedom: with three seeds the standard deviation
is itself a guess, and t pays for it (factor 4.30 instead of 1.96). It is not clipped to [0, 1].
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from scipy.special import stdtrit

LEVEL = 0.95


class Interval(NamedTuple):
    """A mean over n seeds and its 95 % interval, which is NaN where n < 2."""

    mean: float
    low: float
    high: float
    n: int

    @property
    def known(self) -> bool:
        return not math.isnan(self.low)


def t_factor(n: int, level: float = LEVEL) -> float:
    """How many standard errors the interval reaches to either side: 4.30 at n = 3."""
    return float(stdtrit(n - 1, 0.5 + level / 2)) if n > 1 else math.nan


def t_interval(values: Iterable[float], level: float = LEVEL) -> Interval:
    """The mean of values and its two-sided t interval; NaNs are left out."""
    known = np.array([value for value in values if not math.isnan(value)], dtype=float)
    n = len(known)
    if n == 0:
        return Interval(math.nan, math.nan, math.nan, 0)
    mean = float(known.mean())
    if n == 1:
        return Interval(mean, math.nan, math.nan, 1)
    half = t_factor(n, level) * float(known.std(ddof=1)) / math.sqrt(n)
    return Interval(mean, mean - half, mean + half, n)


def variance_shares(values: Mapping[int, Sequence[float]]) -> tuple[float, float]:
    """Which shares of the variance are due to the seed, and to repeats with another classifier seed.

    `values` are scores by seed, one for each repeat. One-way random effects by moments (Searle et al. 1992, "Variance
    components"); NaN where there are fewer than two seeds or no repeats.
    """
    groups = [np.array(group, dtype=float) for group in values.values() if len(group)]
    sizes = np.array([len(group) for group in groups])
    total, rows = int(sizes.sum()), len(groups)
    if rows < 2 or total == rows:
        return math.nan, math.nan
    means = np.array([group.mean() for group in groups])
    within = sum(float(((group - group.mean()) ** 2).sum()) for group in groups) / (total - rows)
    grand = np.average(means, weights=sizes)
    mean_square = float((sizes * (means - grand) ** 2).sum()) / (rows - 1)
    repeats = (total - (sizes**2).sum() / total) / (rows - 1)
    between = max(0.0, (mean_square - within) / float(repeats))
    whole = between + within
    return (between / whole, within / whole) if whole > 0 else (math.nan, math.nan)


def gap_recovered(arm: Mapping[int, float], none: Mapping[int, float], full: Mapping[int, float]) -> float:
    """The share of the way from none to full that an arm goes, over the seeds all three have."""
    seeds = sorted(arm.keys() & none.keys() & full.keys())
    if not seeds:
        return math.nan
    low, high, reached = (float(np.mean([of[seed] for seed in seeds])) for of in (none, full, arm))
    return (reached - low) / (high - low) if high > low else math.nan
