"""Is one arm better than another? Differences paired by seed, what they allow to be said, and ranks from that.

What is compared is the minority recall: the mean over the minority classes of the share of the class's test images
that are recognised. All arms meet the same seeds (kept images, initial weights) and the same test images, so a
difference has two sources of chance, crossed: the seeds and the test images. Its variance is the sum of both.

The seeds' part would be a guess from three numbers. So it is moderated (Smyth 2004, "Linear models and empirical Bayes
methods"): every pair of arms tells how much such a difference varies over seeds, and the pair in question is drawn
towards their mean, the more the less they differ. Several comparisons share Holm's correction (1979). The
interval is a hierarchical bootstrap over seeds and test images (Davison & Hinkley 1997, 3.8), made as wide as t says;
`better` is the probability of outperforming of Bouthillier et al. 2021 ("Accounting for variance in machine learning
benchmarks"). `python -m fillbench.benchmark.calibrate` shows how often all this is right.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import digamma, polygamma, stdtr, stdtrit

Array = NDArray[np.floating[Any]]
# By seed, how often each minority test image was recognised: (I,) in 0..1, fractions where repeats were averaged.
Outcomes = Mapping[int, Array]

ALPHA = 0.05
DRAWS = 2000
# The other pairs count at most as much as eleven seeds would. Moment estimates over few seeds often say "infinitely
# much", which is too sure of an arm that is noisier than the rest, above all of a base that all comparisons share.
MOST_PRIOR_DF = 10.0


class Prior(NamedTuple):
    """What all arms together say: the variance of a difference over seeds, and how many degrees of freedom to trust."""

    variance: float
    df: float
    arms: int


class Difference(NamedTuple):
    """The mean paired difference over the common seeds, its standard error and what Student's t says of it."""

    mean: float = math.nan
    se: float = math.nan
    df: float = math.nan
    p: float = math.nan
    p_holm: float = math.nan
    seeds: int = 0

    @property
    def verdict(self) -> str:
        return _verdict(self.mean, self.p_holm)


class Comparison(NamedTuple):
    """An arm against another: mean paired difference with its 95 % interval, and how sure it is.

    `better` is the probability that the arm beats the other in one paired run; `detectable` is the true difference
    that this comparison shows with 80 % probability, before Holm's correction. All but `mean` and `better` are NaN
    with fewer than two common seeds.
    """

    mean: float = math.nan
    low: float = math.nan
    high: float = math.nan
    p: float = math.nan
    p_holm: float = math.nan
    better: float = math.nan
    detectable: float = math.nan
    seeds: int = 0

    @property
    def verdict(self) -> str:
        return _verdict(self.mean, self.p_holm)


def compare(
    arms: Mapping[str, Outcomes], pairs: Sequence[tuple[str, str]], labels: NDArray[np.integer[Any]]
) -> list[Comparison]:
    """Compare the first arm of each pair with the second; Holm's correction is over the pairs.

    `arms` are all arms of the run, since all tell how much seeds matter; `labels` (I,) are the classes of the images.
    """
    rng = np.random.default_rng(0)
    images = _image_draws(labels, rng)
    drawn = {
        name: dict(zip(arms[name], (images @ np.stack(list(arms[name].values()), axis=1)).T, strict=True))
        for name in dict.fromkeys(name for pair in pairs for name in pair)
        if arms[name]
    }
    counts = sorted({len(_common(arms[a], arms[b])) for a, b in pairs} - {0})
    seeds = {count: rng.multinomial(count, np.full(count, 1 / count), DRAWS) / count for count in counts}
    found = []
    for (a, b), test in zip(pairs, differences(arms, pairs, labels), strict=True):
        if not test.seeds:
            found.append(Comparison())
            continue
        runs = np.stack([drawn[a][seed] - drawn[b][seed] for seed in _common(arms[a], arms[b])], axis=1)
        low, high = _interval(test, (runs * seeds[test.seeds]).sum(axis=1))
        detectable = float(stdtrit(test.df, 1 - ALPHA / 2) + stdtrit(test.df, 0.8)) * test.se
        found.append(Comparison(test.mean, low, high, test.p, test.p_holm, _better(runs), detectable, test.seeds))
    return found


def differences(
    arms: Mapping[str, Outcomes], pairs: Sequence[tuple[str, str]], labels: NDArray[np.integer[Any]]
) -> list[Difference]:
    """`compare` without the bootstrap: fast enough for all pairs of a run."""
    weights = _weights(labels)
    recalls = {name: {seed: float(hits @ weights) for seed, hits in arm.items()} for name, arm in arms.items()}
    prior = _prior(recalls, floor=weights.min() ** 2)
    found = [_difference(arms[a], arms[b], labels, weights, prior) for a, b in pairs]
    adjusted = holm([one.p for one in found])
    return [one._replace(p_holm=p) for one, p in zip(found, adjusted, strict=True)]


def holm(values: Sequence[float]) -> list[float]:
    """p-values after Holm's correction; NaN stays NaN and does not count."""
    adjusted = np.array(values, dtype=float)
    known = ~np.isnan(adjusted)
    if known.sum() > 1:
        from statsmodels.stats.multitest import multipletests  # slow to import

        adjusted[known] = multipletests(adjusted[known], method="holm")[1]
    return adjusted.tolist()


def ranks(names: Iterable[str], better: Callable[[str, str], bool]) -> dict[str, int]:
    """1 + the number of arms that were shown to be better, so that arms which nothing tells apart share a rank."""
    names = list(names)
    return {name: 1 + sum(better(other, name) for other in names if other != name) for name in names}


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


def _verdict(mean: float, p_holm: float) -> str:
    if not p_holm < ALPHA:  # NaN shows nothing
        return "no difference shown"
    return "helps" if mean > 0 else "hurts"


def _common(a: Mapping[int, Any], b: Mapping[int, Any]) -> list[int]:
    return sorted(a.keys() & b.keys())


def _weights(labels: NDArray[np.integer[Any]]) -> Array:
    """(I,): what each image counts in the mean over classes of the recall within the class."""
    _, of, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    return 1 / (len(sizes) * sizes[of])


def _difference(a: Outcomes, b: Outcomes, labels: NDArray[Any], weights: Array, prior: Prior) -> Difference:
    """Student's t for a minus b, its variance over seeds drawn towards the prior."""
    seeds = _common(a, b)
    if not seeds:
        return Difference()
    difference = np.stack([np.asarray(a[seed], float) - b[seed] for seed in seeds])
    by_seed = difference @ weights
    mean, count = float(by_seed.mean()), len(seeds)
    if count < 2:
        return Difference(mean, seeds=count)
    own_df = count - 1
    squeezed = (prior.df * prior.variance + own_df * by_seed.var(ddof=1)) / (prior.df + own_df)
    df = min(prior.df + own_df, own_df * (prior.arms - 1))  # more than all arms together know, none can
    # Seeds that happen to agree are no certainty: never surer than to one test image.
    se = max(math.sqrt(squeezed / count + _image_variance(difference, labels)), float(weights.min()))
    return Difference(mean, se, df, 2 * float(stdtr(df, -abs(mean) / se)), seeds=count)


def _prior(recalls: Mapping[str, Mapping[int, float]], floor: float) -> Prior:
    """The mean variance over all pairs of arms; the less the pairs differ in truth, the more it is to be trusted.

    How much they differ comes by moments of the logarithm (Smyth 2004, section 6.2), with `floor` for variances of 0.
    The mean is the plain one, which is larger than Smyth's where pairs differ. A single pair has nothing to lean on.
    """
    found = []
    for a, b in combinations(recalls.values(), 2):
        if len(seeds := _common(a, b)) > 1:
            found.append((np.var([a[seed] - b[seed] for seed in seeds], ddof=1), len(seeds) - 1))
    if len(found) < 2:
        return Prior(0.0, 0.0, 2)
    variances, df = np.array(found).T
    logs = np.log(np.maximum(variances, floor)) - digamma(df / 2) + np.log(df / 2)
    excess = logs.var(ddof=1) - polygamma(1, df / 2).mean()

    def over(prior_df: float) -> float:
        return float(polygamma(1, prior_df / 2) - excess)

    prior_df = MOST_PRIOR_DF if over(MOST_PRIOR_DF) >= 0 else brentq(over, 1e-3, MOST_PRIOR_DF)
    arms = sum(len(by_seed) > 1 for by_seed in recalls.values())
    return Prior(float(np.average(variances, weights=df)), float(prior_df), arms)


def _image_variance(difference: Array, labels: NDArray[Any]) -> float:
    """What the choice of test images adds to the variance of the mean difference; (S, I) of one pair of arms.

    The variance of the images' means over seeds, less what chance within the cells (seed x image) puts into it.
    """
    _, of, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    count, free = len(difference), np.maximum(sizes - 1, 1)
    by_class = np.stack([np.bincount(of, row) for row in difference]) / sizes
    centred = difference - by_class[:, of]
    squares = np.bincount(of, centred.mean(axis=0) ** 2)
    residual = (np.bincount(of, (centred**2).sum(axis=0)) - count * squares) / (count - 1)
    return max(0.0, float(((squares - residual / count) / free / sizes).sum())) / len(sizes) ** 2


def _image_draws(labels: NDArray[Any], rng: np.random.Generator) -> Array:
    """(DRAWS, I): weights of the images when those of each class are drawn anew with replacement."""
    draws = np.empty((DRAWS, len(labels)))
    for label in (classes := np.unique(labels)):
        (where,) = np.nonzero(labels == label)
        size = len(where)
        chosen = rng.integers(size, size=(DRAWS, size)) + size * np.arange(DRAWS)[:, None]
        counts = np.bincount(chosen.ravel(), minlength=DRAWS * size).reshape(DRAWS, size)
        draws[:, where] = counts / (size * len(classes))
    return draws


def _interval(test: Difference, draws: Array) -> tuple[float, float]:
    """The 95 % interval: where it lies about the mean is told by bootstrap draws (B,), its width by Student's t.

    Over three seeds the draws alone are far too narrow.
    """
    half = float(stdtrit(test.df, 1 - ALPHA / 2)) * test.se
    low, high = np.quantile(draws, [ALPHA / 2, 1 - ALPHA / 2]).tolist()
    if math.isnan(half) or high - low < 1e-12:
        return test.mean - half, test.mean + half
    stretch = 2 * half / (high - low)
    centre = float(draws.mean())
    return test.mean + (low - centre) * stretch, test.mean + (high - centre) * stretch


def _better(runs: Array) -> float:
    """(B, S), differences in single runs with test images drawn anew: the share above 0, ties counting half."""
    return float(((runs > 1e-9).mean() + (runs > -1e-9).mean()) / 2)
