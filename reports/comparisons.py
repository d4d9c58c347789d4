"""Is one arm better than another? Differences paired by seed, and what they allow to be said.

All arms meet the same seeds (kept examples, initial weights) and the same test examples, so a difference has two
sources of chance, crossed: the seeds and the test examples. An interval reaches as far as both together say (the
modified large sample method, Burdick et al. 2005, "Design and Analysis of Gauge R&R Studies"): each source has degrees
of freedom of its own, and three seeds that happen to agree do not pass for hundreds, as by Satterthwaite's formula.

What the seeds do to a difference would be a guess from three numbers. So it is moderated (Smyth 2004, "Linear models
and empirical Bayes methods"): drawn towards what all arms of the run tell, winsorised, so that an unstable arm does not
cost the others their power, and such an arm, or pair, stands alone (Phipson et al. 2016, "Robust hyperparameter
estimation protects against hypervariable genes"): where the F test of its variance is below one by its degrees of
freedom, so 0.5 at three seeds, which seldom show that an arm is unstable, and 0.11 at ten.
`python -m fillbench.benchmark.calibrate` shows how often all this is right.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import fdtrc, polygamma, stdtrit

from .estimates import Estimate, Floats, Labels

ALPHA, POWER = 0.05, 0.8
FEWEST_SEEDS = 3
FEWEST_ARMS = 5  # that tell anything of each other's spread
# The other arms count at most as much as five seeds would: all of them can be lucky with the seeds of a run.
MOST_PRIOR_DF = 4.0
WINSORISED = 0.2  # the share of the largest variances that the others are spared
FAR = 5.0  # standard deviations from the median, from where on a seed is called outlying
MAD_TO_SD = 1.4826
LEAST_P = 1e-9
MORE_SEEDS = (3, 4, 5, 6, 7, 8, 10, 12, 15, 20, 30, 50, 100)


class Evidence(NamedTuple):
    """What a run knows of an estimand. `names` of A arms, all with the same S seeds; `values` (A, S).

    `images` (K, A, A): the covariance of the arms' means over the seeds that other test examples of each class would
    bring; `free` (K,): its degrees of freedom, one less than there are examples.
    """

    names: list[str]
    values: Floats
    images: Floats
    free: Floats


def gather(found: Mapping[str, Sequence[Estimate]], labels: Labels) -> Evidence:
    """The evidence of the estimates of each arm, one for each seed, of test examples of `labels` (N,).

    What other test examples would bring is NaN where a class has a single one, which cannot tell.
    """
    values = np.array([[one.value for one in of_arm] for of_arm in found.values()])
    seeds, images, free = values.shape[1], [], []
    for label in np.unique(labels):
        own = labels == label
        influence = np.array([[one.influence[own] for one in of_arm] for of_arm in found.values()], dtype=float)
        count = influence.shape[2]
        influence -= influence.mean(axis=2, keepdims=True)
        influence *= math.sqrt(count / (count - 1)) if count > 1 else math.nan
        mean = influence.mean(axis=1)
        covariance = mean @ mean.T
        if seeds > 1:  # less what chance within the cells (seed x example) puts into it: the seeds' variance has that
            rest = (influence - mean[:, None]).reshape(len(found), -1)
            covariance -= rest @ rest.T / (seeds - 1) / seeds
        images.append(covariance)
        free.append(count - 1.0)
    return Evidence(list(found), values, np.stack(images), np.array(free))


def change(mean: float, p: float) -> int:
    """1 where a rise is shown, -1 where a fall is, else 0."""
    return int(np.sign(mean)) if p < ALPHA else 0


def summed(by_class: Floats, free: Floats) -> tuple[Floats, Floats]:
    """Variances of each class (K, …) added up, and the degrees of freedom of the sum; those of each are `free` (K,)."""
    total = by_class.sum(axis=0)
    squares = (by_class**2 / free.reshape(-1, *[1] * (by_class.ndim - 1))).sum(axis=0)
    return total, np.divide(total**2, squares, out=np.full_like(total, np.inf), where=squares != 0)


@dataclass(frozen=True)
class Differences:
    """Of M pairs of arms, each (M,): mean and median over the seeds; `seed_variance` and `image_variance` of the mean,
    with their degrees of freedom; which of the `seeds` lie far off, (M, S)."""

    mean: Floats
    median: Floats
    seed_variance: Floats
    seed_df: Floats
    image_variance: Floats
    image_df: Floats
    seeds: int
    outlying: NDArray[np.bool_]

    def half(self, alpha: Floats | float) -> Floats:
        """How far intervals reach to either side that miss the truth with probability `alpha`, by pair or for all."""
        by_seed = stdtrit(self.seed_df, 1 - np.asarray(alpha) / 2) ** 2 * self.seed_variance
        by_image = stdtrit(self.image_df, 1 - np.asarray(alpha) / 2) ** 2 * self.image_variance
        return np.sqrt(by_seed + by_image)

    @property
    def p(self) -> Floats:
        """Two-sided p-values, at least LEAST_P: where the interval just reaches zero."""
        low, high = np.full(len(self.mean), math.log(LEAST_P)), np.zeros(len(self.mean))
        for _ in range(40):
            middle = (low + high) / 2
            reaches = self.half(np.exp(middle)) > np.abs(self.mean)
            low, high = np.where(reaches, middle, low), np.where(reaches, high, middle)
        return np.where(np.isnan(self.seed_variance + self.image_variance), np.nan, np.exp(high))

    def detectable(self, alpha: float) -> Floats:
        """The true difference that is shown at the level `alpha` with 80 % probability."""
        return self.half(alpha) + self.half(2 * (1 - POWER))

    def enough_seeds(self, alpha: float, difference: float) -> list[int | None]:
        """How many seeds of the same kind would make `difference` detectable, about, on the same test examples; None
        where none of MORE_SEEDS would."""
        found: list[int | None] = [None] * len(self.mean)
        for seeds in reversed(MORE_SEEDS):
            df = self.seed_df * (seeds - 1) / (self.seeds - 1)
            more = replace(self, seed_variance=self.seed_variance * self.seeds / seeds, seed_df=df)
            for spot in np.flatnonzero(more.detectable(alpha) <= difference):
                found[spot] = seeds
        return found


def differences(evidence: Evidence, pairs: Sequence[tuple[str, str]]) -> Differences:
    """The first arm of each pair minus the second. Variances are NaN with fewer than two seeds."""
    index = {name: spot for spot, name in enumerate(evidence.names)}
    a, b = (np.array([index[pair[side]] for pair in pairs], dtype=int) for side in (0, 1))
    by_seed = evidence.values[a] - evidence.values[b]
    count = by_seed.shape[1]
    by_class = evidence.images[:, a, a] + evidence.images[:, b, b] - 2 * evidence.images[:, a, b]
    images, images_df = summed(np.maximum(by_class, 0), evidence.free)
    images = np.maximum(images, 1 / (evidence.free + 1).sum() ** 2)  # never surer than one test example
    variance, df = _variances(evidence.values, a, b) if count > 1 else (np.full(len(pairs), np.nan),) * 2
    median = np.median(by_seed, axis=1)
    return Differences(
        by_seed.mean(axis=1),
        median,
        variance / count,
        df,
        images,
        images_df,
        count,
        _outlying(by_seed, evidence.values),
    )


def _outlying(by_seed: Floats, values: Floats) -> NDArray[np.bool_]:
    """Which seeds (M, S) lie FAR off the median, by the other seeds and by what is typical of the run."""
    if by_seed.shape[1] < FEWEST_SEEDS:
        return np.zeros(by_seed.shape, dtype=bool)
    off = np.abs(by_seed - np.median(by_seed, axis=1, keepdims=True))
    spread = MAD_TO_SD * np.median(off, axis=1, keepdims=True)
    if _tell_of_each_other(values):
        spread = np.maximum(spread, math.sqrt(2 * float(np.median(_spreads(values)[0]))))
    return off > np.maximum(FAR * spread, 1e-9)


def _tell_of_each_other(values: Floats) -> bool:
    """Whether arms are enough, (A, S), and have numbers: a class without test examples leaves NaN to all of them."""
    return len(values) >= FEWEST_ARMS and not np.isnan(values).any()


def _variances(values: Floats, a: NDArray[Any], b: NDArray[Any]) -> tuple[Floats, Floats]:
    """The variance over seeds of arms `a` minus arms `b`, of `values` (A, S), and its degrees of freedom."""
    own = (values[a] - values[b]).var(axis=1, ddof=1)
    df = np.full(len(a), values.shape[1] - 1.0)
    if not _tell_of_each_other(values):
        return own, df
    each, prior, typical = _spreads(values)
    free = prior + values.shape[1] - 1.0
    moderated = (prior * typical + (free - prior) * each) / free
    both = moderated[a] + moderated[b]
    both_df = both**2 / (moderated[a] ** 2 / free[a] + moderated[b] ** 2 / free[b])
    alone = fdtrc(df, both_df, own / both) < 1 / df
    return np.where(alone, own, both), np.where(alone, df, both_df)


def _spreads(values: Floats) -> tuple[Floats, Floats, float]:
    """What seeds do to each arm alone: its variance (A,), how many degrees of freedom the others lend it (A,), and the
    variance of a typical arm.

    An arm's own variance is the median over the others of that of their difference, less that of a typical other.
    """
    count, df = len(values), values.shape[1] - 1.0
    pairs = (values[:, None] - values[None]).var(axis=2, ddof=1)
    of_arm = np.median(pairs[~np.eye(count, dtype=bool)].reshape(count, count - 1), axis=1)
    each = np.maximum(of_arm - np.median(of_arm) / 2, of_arm / 4) + 1e-12
    kept = np.minimum(each, np.quantile(each, 1 - WINSORISED, method="lower"))
    typical = float(kept.mean())
    prior = np.full(count, _prior_df(kept, df))
    prior[fdtrc(df, prior, each / typical) < 1 / df] = 0
    return each, prior, typical


def _prior_df(variances: Floats, df: float) -> float:
    """How many degrees of freedom the other arms are worth: the less the variances differ in truth, the more.

    By moments of the logarithm (Smyth 2004, section 6.2).
    """
    excess = float(np.log(variances).var(ddof=1) - polygamma(1, df / 2))

    def over(prior_df: float) -> float:
        return float(polygamma(1, prior_df / 2) - excess)

    return MOST_PRIOR_DF if over(MOST_PRIOR_DF) >= 0 else float(brentq(over, 1e-3, MOST_PRIOR_DF))


def holm(values: Iterable[float]) -> list[float]:
    """p-values after Holm's correction (1979), at most 1; NaN stays NaN and does not count."""
    adjusted = np.array(list(values), dtype=float)
    known = np.flatnonzero(~np.isnan(adjusted))
    order = known[adjusted[known].argsort(kind="stable")]
    # statsmodels has it too, and collects garbage at every call, which takes longer than all else here
    steps = adjusted[order] * np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1)
    return adjusted.tolist()
