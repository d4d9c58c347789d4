"""Every arm against its bases over data sets: a paired t test, and a random-effects mean.

The data sets are the sample: each gives one difference, whatever its number of seeds. Many-to-one makes fewer
comparisons than all pairs, and so shows more (Demšar 2006, section 3.2.2); Holm's correction (1979) is over all arms
and both estimands. An arm is better than several bases where it beats every one of them (an intersection-union test,
Berger 1982), and worse where it falls below any, which counts as many times as there are bases: none is chosen by how
it did.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.special import stdtr

from .comparisons import ALPHA, Floats, change, holm
from .statistics import t_factor
from .verdicts import NO_DIFFERENCE, shown

FEWEST_DATA_SETS = 6  # with fewer the test can hardly show anything

Bases = Mapping[str, Sequence[str]]  # by arm, which others it is held against


class Difference(NamedTuple):
    """An arm minus the best of its bases in one estimand, over data sets.

    `low`, `high`: the 95 % interval, before any correction. `p`: after Holm's; NaN where there are too few data sets.
    """

    mean: float
    low: float
    high: float
    p: float

    @property
    def change(self) -> int:
        """1 where a rise is shown, -1 where a fall is, else 0."""
        return change(self.mean, self.p)


class RandomEffects(NamedTuple):
    """The mean true difference over data sets like these, its 95 % interval, and the variance between data sets."""

    mean: float
    low: float
    high: float
    tau2: float


UNKNOWN = RandomEffects(math.nan, math.nan, math.nan, math.nan)


def judge(levels: Mapping[str, pd.DataFrame], bases: Bases) -> dict[str, dict[str, Difference]]:
    """By arm and estimand, each arm against its bases; `levels` (arms x data sets) by estimand."""
    found = {}
    for metric, table in levels.items():
        of = dict(zip(table.index, table.to_numpy(), strict=True))
        for arm, others in bases.items():
            found[arm, metric] = _difference(np.stack([of[arm] - of[other] for other in others]))
    adjusted = holm(one.p for one in found.values())
    for (key, one), p in zip(list(found.items()), adjusted, strict=True):
        found[key] = one._replace(p=p)
    return {arm: {metric: found[arm, metric] for metric in levels} for arm in bases}


def _difference(gaps: Floats) -> Difference:
    """What differences (bases, data sets) say; `p` before the correction."""
    bases, sets = gaps.shape
    mean, error = gaps.mean(axis=1), gaps.std(axis=1, ddof=1) / math.sqrt(sets)
    half, wide = (t_factor(sets, 1 - alpha) * error for alpha in (ALPHA, ALPHA / bases))
    p = math.nan
    if sets >= FEWEST_DATA_SETS:
        t = np.divide(mean, error, out=np.where(mean == 0, 0, np.inf), where=error > 0)
        each = 2 * stdtr(sets - 1, -np.abs(t))
        fall = min(1.0, bases * float(each[mean <= 0].min(initial=1.0)))
        p = float(each.max()) if mean.min() > 0 else fall
    return Difference(float(mean.min()), float((mean - half).min()), float((mean + wide).min()), p)


def word(found: Mapping[str, Difference]) -> str:
    """The verdict on an arm of its differences in each estimand; '' where nothing is tested."""
    if any(math.isnan(one.p) for one in found.values()):
        return ""
    return shown({one.change for one in found.values()}) or NO_DIFFERENCE


def random_effects(gaps: Floats, variances: Floats) -> RandomEffects:
    """Of an arm minus the best of its bases; differences on each data set and their variances, both (bases, data sets).

    Variance between data sets by Paule and Mandel (1982), interval by Hartung and Knapp (2001); UNKNOWN where a
    variance is.
    """
    if not (variances > 0).all():
        return UNKNOWN
    from statsmodels.stats.meta_analysis import combine_effects  # slow to import

    with np.errstate(divide="ignore"):  # of its I², where all differences are equal
        each = [combine_effects(*one, method_re="pm", use_t=True) for one in zip(gaps, variances, strict=True)]
    least = min(each, key=lambda one: one.mean_effect_re)
    low = min(one.conf_int(ALPHA)[3][0] for one in each)
    high = min(one.conf_int(ALPHA / len(each))[3][1] for one in each)
    return RandomEffects(float(least.mean_effect_re), float(low), float(high), float(least.tau2))
