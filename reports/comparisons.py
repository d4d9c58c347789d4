"""Is one arm better than another? Differences paired by seed, what they allow to be said, and ranks from that.

What is compared is the minority recall: the mean over the minority classes of the share of the class's test examples
that are recognised. All arms meet the same seeds (kept examples, initial weights) and the same test examples, so a
difference has two sources of chance, crossed: the seeds and the test examples. Its variance is the sum of both.

The seeds' part would be a guess from three numbers. So it is moderated (Smyth 2004, "Linear models and empirical Bayes
methods"): how much an arm varies over seeds is told by its differences to all others, and drawn towards what all arms
tell, the more the less they differ. An arm that varies much more than the others stands alone (in the spirit of Phipson
et al. 2016, "Robust hyperparameter estimation protects against hypervariable genes"). Several comparisons share Holm's
correction (1979). The interval is a hierarchical bootstrap over seeds and test examples (Davison & Hinkley 1997, 3.8),
which reaches as far towards zero as t says, so that it leaves zero out exactly where p before the correction is < 0.05;
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
from scipy.special import digamma, fdtrc, nctdtrinc, polygamma, stdtr, stdtrit

Array = NDArray[np.floating[Any]]
# By seed, how often each minority test example was recognised: (I,) in 0..1, fractions where repeats were averaged.
Outcomes = Mapping[int, Array]

ALPHA = 0.05
NO_DIFFERENCE = "no difference shown"
DRAWS = 2000
# The other arms count at most as much as eleven seeds would. Moment estimates over few seeds often say "infinitely
# much", which is too sure of an arm that is noisier than the rest, above all of a base that all comparisons share.
MOST_PRIOR_DF = 10.0
# An arm stands alone where the F test of its variance is below this. So high because three seeds seldom show that an
# arm is unstable: at 0.1 too many pass for quiet, at 0.5 too many quiet arms lose the others' help, and with it power.
STANDS_ALONE = 0.25


class Spread(NamedTuple):
    """The variance over seeds of an arm's difference to a typical other, and how many degrees of freedom it has."""

    variance: float
    df: float


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

    The interval and `p` are before Holm's correction. `better` is the probability that the arm beats the other in one
    paired run; `detectable` is the true gain that is shown with 80 % probability after the correction at its strictest,
    when it is the smallest p of all (Bonferroni's). All but `mean` and `better` are NaN with fewer than two common
    seeds.
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
    arms: Mapping[str, Outcomes],
    pairs: Sequence[tuple[str, str]],
    labels: NDArray[np.integer[Any]],
    selected_from: int = 1,
) -> list[Comparison]:
    """Compare the first arm of each pair with the second; Holm's correction is over the pairs.

    `arms` are all arms of the run, since all tell how much seeds matter; `labels` (I,) are the classes of the examples.
    `selected_from`: the second arm was selected for the highest mean of so many, see `differences`.
    """
    rng = np.random.default_rng(0)
    examples = _example_draws(labels, rng)
    drawn = {
        name: dict(zip(arms[name], (examples @ np.stack(list(arms[name].values()), axis=1)).T, strict=True))
        for name in dict.fromkeys(name for pair in pairs for name in pair)
        if arms[name]
    }
    counts = sorted({len(_common(arms[a], arms[b])) for a, b in pairs} - {0})
    seeds = {count: rng.multinomial(count, np.full(count, 1 / count), DRAWS) / count for count in counts}
    tests = differences(arms, pairs, labels, selected_from)
    strictest = ALPHA / max(1, sum(test.seeds > 1 for test in tests))
    found = []
    for (a, b), test in zip(pairs, tests, strict=True):
        if not test.seeds:
            found.append(Comparison())
            continue
        runs = np.stack([drawn[a][seed] - drawn[b][seed] for seed in _common(arms[a], arms[b])], axis=1)
        low, high = _interval(test, (runs * seeds[test.seeds]).sum(axis=1))
        # the noncentral t which exceeds its critical value with 80 % probability
        detectable = float(nctdtrinc(test.df, 0.2, stdtrit(test.df, 1 - strictest / 2))) * test.se
        found.append(Comparison(test.mean, low, high, test.p, test.p_holm, _better(runs), detectable, test.seeds))
    return found


def differences(
    arms: Mapping[str, Outcomes],
    pairs: Sequence[tuple[str, str]],
    labels: NDArray[np.integer[Any]],
    selected_from: int = 1,
) -> list[Difference]:
    """`compare` without the bootstrap: fast enough for all pairs of a run.

    The highest of several means was lucky, too, and what is no worse seems to hurt beside it. Where the second arm was
    selected so, p of a fall below it is multiplied by how many there were, before Holm's correction (Bonferroni over
    the choice). A gain over the highest mean is a gain over all of them, and needs none.
    """
    weights = _weights(labels)
    recalls = {name: {seed: float(hits @ weights) for seed, hits in arm.items()} for name, arm in arms.items()}
    typical, spreads = _spreads(recalls, floor=float(weights.min()) ** 2)
    found = [
        _difference(arms[a], arms[b], labels, weights, _pair(spreads.get(a), spreads.get(b), typical)) for a, b in pairs
    ]
    adjusted = holm([one.p if one.mean > 0 else one.p * selected_from for one in found])
    return [one._replace(p_holm=p) for one, p in zip(found, adjusted, strict=True)]


def holm(values: Sequence[float]) -> list[float]:
    """p-values after Holm's correction, at most 1; NaN stays NaN and does not count."""
    adjusted = np.array(values, dtype=float)
    order = np.argsort(adjusted)[: int((~np.isnan(adjusted)).sum())]  # NaN comes last
    factors = np.arange(len(order), 0, -1)  # by hand: statsmodels takes longer to import than all else here
    adjusted[order] = np.minimum(np.maximum.accumulate(adjusted[order] * factors), 1.0)
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
        return NO_DIFFERENCE
    return "helps" if mean > 0 else "hurts"


def _common(a: Mapping[int, Any], b: Mapping[int, Any]) -> list[int]:
    return sorted(a.keys() & b.keys())


def _weights(labels: NDArray[np.integer[Any]]) -> Array:
    """(I,): what each example counts in the mean over classes of the recall within the class."""
    _, of, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    return 1 / (len(sizes) * sizes[of])


def _difference(a: Outcomes, b: Outcomes, labels: NDArray[Any], weights: Array, spread: Spread) -> Difference:
    """Student's t for a minus b, whose variance over seeds is `spread`."""
    seeds = _common(a, b)
    if not seeds:
        return Difference()
    difference = np.stack([np.asarray(a[seed], float) - b[seed] for seed in seeds])
    mean, count = float((difference @ weights).mean()), len(seeds)
    if count < 2:
        return Difference(mean, seeds=count)
    # Seeds that happen to agree are no certainty: never surer than to one test example.
    se = max(math.sqrt(spread.variance / count + _example_variance(difference, labels)), float(weights.min()))
    return Difference(mean, se, spread.df, 2 * float(stdtr(spread.df, -abs(mean) / se)), seeds=count)


def _pair(a: Spread | None, b: Spread | None, typical: float) -> Spread:
    """The variance over seeds of a minus b. Each has a typical other in it, which is subtracted: `typical` is two such.

    Degrees of freedom by Satterthwaite (1946), but no more than of either with the others' help.
    """
    if a is None or b is None:  # no two common seeds with any arm
        return Spread(math.nan, math.nan)
    variance = max(a.variance + b.variance - typical, max(a.variance, b.variance) / 2)
    df = (a.variance + b.variance) ** 2 / (a.variance**2 / a.df + b.variance**2 / b.df)
    return Spread(variance, min(df, max(a.df, b.df)))


def _spreads(recalls: Mapping[str, Mapping[int, float]], floor: float) -> tuple[float, dict[str, Spread]]:
    """The mean variance over seeds of the difference of two arms, and what is to be believed of each arm.

    An arm's own variance is the median over the others, which a noisy one among them does not move. It is drawn towards
    the mean over all pairs, which is larger than Smyth's where arms differ. No variance is below `floor`.
    """
    found: dict[str, list[tuple[float, int]]] = {name: [] for name in recalls}
    for a, b in combinations(recalls, 2):
        if len(seeds := _common(recalls[a], recalls[b])) > 1:
            variance = float(np.var([recalls[a][seed] - recalls[b][seed] for seed in seeds], ddof=1))
            found[a].append((max(variance, floor), len(seeds) - 1))
            found[b].append(found[a][-1])
    names = [name for name, pairs in found.items() if pairs]
    if not names:
        return math.nan, {}
    variances, df = np.array([np.median(found[name], axis=0) for name in names]).T
    every = np.array([pair for pairs in found.values() for pair in pairs])
    typical = float(np.average(every[:, 0], weights=every[:, 1]))
    prior = np.zeros(len(names))
    if len(names) > 2:  # a single pair has nothing to lean on
        prior += _prior_df(variances, df)
        prior[fdtrc(df, prior, variances / np.median(variances)) < STANDS_ALONE] = 0
    squeezed = (prior * typical + df * variances) / (prior + df)
    df = np.minimum(prior + df, df * (len(names) - 1))  # more than all arms together know, none can
    return typical, {name: Spread(*of) for name, *of in zip(names, squeezed.tolist(), df.tolist(), strict=True)}


def _prior_df(variances: Array, df: Array) -> float:
    """How many degrees of freedom the other arms are worth: the less the variances differ in truth, the more.

    By moments of the logarithm (Smyth 2004, section 6.2).
    """
    excess = np.log(variances) - digamma(df / 2) + np.log(df / 2)
    excess = excess.var(ddof=1) - polygamma(1, df / 2).mean()

    def over(prior_df: float) -> float:
        return float(polygamma(1, prior_df / 2) - excess)

    return MOST_PRIOR_DF if over(MOST_PRIOR_DF) >= 0 else float(brentq(over, 1e-3, MOST_PRIOR_DF))


def _example_variance(difference: Array, labels: NDArray[Any]) -> float:
    """What the choice of test examples adds to the variance of the mean difference; (S, I) of one pair of arms.

    The variance of the examples' means over seeds, less what chance within the cells (seed x example) puts into it.
    """
    _, of, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    count, free = len(difference), np.maximum(sizes - 1, 1)
    by_class = np.stack([np.bincount(of, row) for row in difference]) / sizes
    centred = difference - by_class[:, of]
    squares = np.bincount(of, centred.mean(axis=0) ** 2)
    residual = (np.bincount(of, (centred**2).sum(axis=0)) - count * squares) / (count - 1)
    return max(0.0, float(((squares - residual / count) / free / sizes).sum())) / len(sizes) ** 2


def _example_draws(labels: NDArray[Any], rng: np.random.Generator) -> Array:
    """(DRAWS, I): weights of the examples when those of each class are drawn anew with replacement."""
    draws = np.empty((DRAWS, len(labels)))
    for label in (classes := np.unique(labels)):
        (where,) = np.nonzero(labels == label)
        size = len(where)
        chosen = rng.integers(size, size=(DRAWS, size)) + size * np.arange(DRAWS)[:, None]
        counts = np.bincount(chosen.ravel(), minlength=DRAWS * size).reshape(DRAWS, size)
        draws[:, where] = counts / (size * len(classes))
    return draws


def _interval(test: Difference, draws: Array) -> tuple[float, float]:
    """The 95 % interval: towards zero as far as Student's t says, to the other side as bootstrap draws (B,) lie.

    Over three seeds the draws alone are far too narrow. They are made as wide as t says first, so that the far side is
    at most twice as long as the near one.
    """
    half = float(stdtrit(test.df, 1 - ALPHA / 2)) * test.se
    low, high = (np.quantile(draws, [ALPHA / 2, 1 - ALPHA / 2]) - draws.mean()).tolist()
    if math.isnan(half) or high - low < 1e-12:
        return test.mean - half, test.mean + half
    stretch = 2 * half / (high - low)
    below = half if test.mean > 0 else -low * stretch
    above = half if test.mean < 0 else high * stretch
    return test.mean - below, test.mean + above


def _better(runs: Array) -> float:
    """(B, S), differences in single runs with test examples drawn anew: the share above 0, ties counting half."""
    return float(((runs > 1e-9).mean() + (runs > -1e-9).mean()) / 2)
