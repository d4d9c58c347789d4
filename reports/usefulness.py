"""Whether what the audits measure tells what filling does: rank correlations over the arms of a run."""

from __future__ import annotations

import math
from typing import NamedTuple

import pandas as pd
from scipy.special import ndtri

from .audits import columns
from .comparisons import ALPHA
from .numbers import listed, with_bounds
from .records import Run
from .statistics import Interval
from .verdicts import COMPARED, ESTIMANDS

FEWEST_ARMS = 6  # with fewer, an interval is as good as all of -1 to 1


class Usefulness(NamedTuple):
    """A figure of the audits, over how many arms it is known, and its rank correlation with the gain, by metric."""

    label: str
    arms: int
    correlations: dict[str, Interval]

    @property
    def told(self) -> list[str]:
        """The correlations as a table shows them."""
        return [with_bounds(found, sign=True) for found in self.correlations.values()]


def usefulness(run: Run, board: pd.DataFrame) -> list[Usefulness]:
    """Of every figure on the leaderboard that differs among six arms or more."""
    labels = {figure["name"]: figure["label"] for figure in run.run["audit"]["figures"]}
    found = []
    for name in columns(run):
        gains = [f"vs_none_{ESTIMANDS[metric]}_mean" for metric in COMPARED]
        known = board[[name, *gains]].dropna()
        if name in labels and len(known) >= FEWEST_ARMS and known[name].nunique() > 1:
            each = {
                metric: rank_correlation(known[name], known[gain]) for metric, gain in zip(COMPARED, gains, strict=True)
            }
            found.append(Usefulness(labels[name], len(known), each))
    return found


def rank_correlation(x: pd.Series, y: pd.Series) -> Interval:
    """Spearman's, with the 95 % interval of Bonett and Wright 2000 ("Sample size requirements for estimating Pearson,
    Kendall and Spearman correlations"); unknown where all of either are alike."""
    if x.nunique() < 2 or y.nunique() < 2:
        return Interval(math.nan, math.nan, math.nan, len(x))
    rho, count = float(x.rank().corr(y.rank())), len(x)  # SciPy has it too, in a module that takes a second to import
    most = 1 - 6 / (count**3 - count)  # half of the step to the next value that it can have: at 1 there is no interval
    middle = math.atanh(max(-most, min(most, rho)))
    reach = float(ndtri(1 - ALPHA / 2)) * math.sqrt((1 + rho**2 / 2) / (count - 3))
    return Interval(rho, math.tanh(middle - reach), math.tanh(middle + reach), count)


def sentence(found: list[Usefulness]) -> str:
    """Which figures are shown to go with the gain in knowing, and in deciding."""
    return " ".join(_said(found, metric) for metric in COMPARED) if found else ""


def _said(found: list[Usefulness], metric: str) -> str:
    shown = [
        f"{one.label} ({with_bounds(rho, sign=True)})"
        for one in found
        if (rho := one.correlations[metric]).low > 0 or rho.high < 0
    ]
    gain = f"the gain in {ESTIMANDS[metric]}"
    return f"Over the arms, with {gain} go: {listed(shown, 20)}." if shown else f"Nothing is shown to go with {gain}."
