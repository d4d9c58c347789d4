"""Intervals of levels: what an arm reaches, over other seeds and other test examples."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy.special import betaincinv, ndtri, stdtrit

from .comparisons import ALPHA, gather, summed
from .estimates import Estimate, Labels
from .statistics import Interval, t_factor


def level(found: Sequence[Estimate], labels: Labels, most: float, examples: int) -> Interval:
    """The mean of the estimates of each seed, and its 95 % interval, which stays within 0 and `most`.

    `labels` (N,) are those of the test examples. What varies over seeds and what other test examples would bring are
    added, as in `comparisons`. The interval of a share is that of Korn and Graubard (1998, "Confidence intervals for
    proportions with small expected number of positive counts"): Clopper and Pearson's, of as many examples as would
    vary that much. A share that never varies, of exactly 0 or 1 say, has that of `examples`.
    NaN with fewer than two seeds, where an estimate is NaN, or where a class has a single test example.
    """
    evidence = gather({"": found}, labels)
    values, count = evidence.values[0], len(found)
    mean = float(values.mean())
    if count < 2 or math.isnan(mean):
        return Interval(mean, math.nan, math.nan, count)
    by_image, df = map(float, summed(np.maximum(evidence.images[:, 0, 0], 0), evidence.free))
    if math.isnan(by_image):
        return Interval(mean, math.nan, math.nan, count)
    half2 = t_factor(count) ** 2 * float(values.var(ddof=1)) / count
    half2 += float(stdtrit(df, 1 - ALPHA / 2)) ** 2 * by_image
    if math.isinf(most):
        return Interval(mean, max(0.0, mean - math.sqrt(half2)), mean + math.sqrt(half2), count)
    share = min(max(mean / most, 0.0), 1.0)
    worth = float(ndtri(1 - ALPHA / 2)) ** 2 * share * (1 - share) / (half2 / most**2) if half2 else float(examples)
    hits = worth * share
    low = float(betaincinv(hits, worth - hits + 1, ALPHA / 2)) if hits > 0 else 0.0
    high = float(betaincinv(hits + 1, worth - hits, 1 - ALPHA / 2)) if hits < worth else 1.0
    return Interval(mean, most * low, most * high, count)
