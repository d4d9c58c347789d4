"""What predictions are worth, and how much each test example tells of it.

Each estimate comes with its influence function (Hampel 1974): by how much it would move if an example weighed more.
Sums over it give the variance that other test examples would bring (infinitesimal jackknife, Efron 1982, chapter 6),
for what is no mean over examples too, such as average precision.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Labels = NDArray[np.int64]
EPS = float(np.finfo(np.float32).eps)  # probabilities are float32: what is nearer to 0 or 1 is not told apart
BINS = 15
SURE = 0.95


class Estimate(NamedTuple):
    """A value, and the influence (N,) of each test example on it; NaN where there is nothing to estimate it from."""

    value: float
    influence: Floats


class Ranking:
    """The test examples in falling order of the probability of one class.

    `order` (N,): which example is at each place. Of each place: whether its example is of the class (`hit`, 0 or 1),
    and of the examples with the same probability, which no threshold tells apart, the `first` and the `last` place.
    `found` (N,): how many of the class are at that last place or before.
    """

    def __init__(self, scores: NDArray[np.floating[Any]], positive: NDArray[np.bool_]) -> None:
        count = len(scores)
        self.order = np.argsort(-scores)
        changes = np.diff(scores[self.order]) != 0
        self.hit = positive[self.order].astype(float)
        self.positives = int(positive.sum())
        places = np.arange(count)
        self.first = np.maximum.accumulate(np.where(np.r_[True, changes], places, 0))
        ends = np.where(np.r_[changes, True], places, count)
        self.last = np.minimum.accumulate(ends[::-1])[::-1]
        self.found = np.cumsum(self.hit)[self.last]

    def by_example(self, by_place: Floats) -> Floats:
        """What is known of each place, in the order of the test set."""
        result = np.empty_like(by_place)
        result[self.order] = by_place
        return result


class Predictions:
    """Probabilities (N, K) float32, whose rows need not add up to exactly 1, for labels (N,) int64.

    `thresholds` (K,): what they are divided by before the largest decides; without them the most probable class is
    decided. `rare`: which classes are of the minority, (K,) bool. `guess` (N,): the class that is decided, the first of
    several; `right` (N,) bool: whether it is the true one. `top`, `true`: the probabilities of the most probable and of
    the true class, (N,); `top_right`: whether these are the same. `confusion` (K, K): rows are true.
    """

    def __init__(
        self,
        probabilities: NDArray[np.float32],
        labels: Labels,
        minority: Sequence[int],
        thresholds: Floats | None = None,
    ) -> None:
        classes, rows, likely = probabilities.shape[1], np.arange(len(labels)), probabilities.argmax(1)
        self.guess = likely if thresholds is None else (probabilities / thresholds).argmax(1)
        self.probabilities, self.labels, self.right = probabilities, labels, self.guess == labels
        self.top, self.true = (probabilities[rows, of].astype(np.float64) for of in (likely, labels))
        self.top_right = likely == labels
        self._rankings: dict[int, Ranking] = {}
        self.rare = np.isin(np.arange(classes), minority)
        self.confusion = np.bincount(classes * labels + self.guess, minlength=classes**2).reshape(classes, classes)
        self.hits, self.support, self.called = self.confusion.diagonal(), self.confusion.sum(1), self.confusion.sum(0)

    @property
    def every(self) -> NDArray[np.bool_]:
        """All classes, (K,)."""
        return np.ones(len(self.rare), dtype=bool)

    @cached_property
    def recall(self) -> Floats:
        """Of each class, (K,); as precision and F1, NaN where the test set has none of it."""
        return _share(self.hits, self.support)

    @cached_property
    def precision(self) -> Floats:
        """Of each class, (K,); 0 where nothing is called it."""
        return np.where(self.support, self.hits / np.maximum(self.called, 1), np.nan)

    @cached_property
    def f1(self) -> Floats:
        """Of each class, (K,)."""
        return np.where(self.support, 2 * self.hits / np.maximum(self.called + self.support, 1), np.nan)

    def ranked(self, classes: NDArray[np.bool_]) -> list[Ranking]:
        """Of each of some classes, (K,)."""
        wanted = np.flatnonzero(classes).tolist()
        for label in wanted:
            if label not in self._rankings:
                self._rankings[label] = Ranking(self.probabilities[:, label], self.labels == label)
        return [self._rankings[label] for label in wanted]


def _share(part: Any, whole: Any) -> Any:
    """NaN of nothing."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.divide(part, whole)


def mean_recall(p: Predictions, classes: NDArray[np.bool_]) -> Estimate:
    """The share of each class (K,) that is recognised, averaged over the classes."""
    count = classes.sum()
    weight = _share(classes, count * p.support)[p.labels]
    value = float(_share(p.recall[classes].sum(), count))
    return Estimate(value, weight * (p.right - np.nan_to_num(p.recall)[p.labels]))


def mean_precision(p: Predictions, classes: NDArray[np.bool_]) -> Estimate:
    """The share of what is called a class that is of it, averaged over the classes (K,)."""
    weight = classes / (classes.sum() * np.maximum(p.called, 1))
    influence = weight[p.guess] * (p.right - np.nan_to_num(p.precision)[p.guess])
    return Estimate(float(p.precision[classes].mean()), influence)


def mean_f1(p: Predictions, classes: NDArray[np.bool_]) -> Estimate:
    """The harmonic mean of recall and precision, averaged over the classes (K,)."""
    weight = classes / (classes.sum() * np.maximum(p.called + p.support, 1))
    spent = weight * np.nan_to_num(p.f1)
    influence = 2 * weight[p.labels] * p.right - spent[p.labels] - spent[p.guess]
    return Estimate(float(p.f1[classes].mean()), influence)


def averaged(estimates: Iterable[Estimate]) -> Estimate:
    """Over classes, or over classifiers."""
    values, influences = zip(*estimates, strict=True)
    return Estimate(float(np.mean(values)), np.mean(influences, axis=0))


def average_precision(ranking: Ranking) -> Estimate:
    """The precision at every example of the class, averaged: nothing is interpolated."""
    above = ranking.last + 1.0
    precision = ranking.found / above
    value = float(_share((ranking.hit * precision).sum(), ranking.positives))
    # What weighs more is one example more, perhaps of the class, above all examples of the class that it outranks.
    gain, loss = (
        np.cumsum(part[::-1])[::-1][ranking.first]
        for part in (ranking.hit / above, ranking.hit * ranking.found / above**2)
    )
    by_place = _share(ranking.hit * (precision - value + gain) - loss, ranking.positives)
    return Estimate(value, ranking.by_example(by_place))


def area_under_roc(ranking: Ranking) -> Estimate:
    """How often an example of the class is above another, ties counting half (Mann and Whitney's U)."""
    count, positives = len(ranking.hit), ranking.positives
    others = count - positives
    before = np.r_[0.0, np.cumsum(ranking.hit)][ranking.first]
    ahead = (before + ranking.found) / 2  # of the class, ties counting half
    behind = others - (ranking.first + ranking.last + 1) / 2 + ahead  # of the others
    value = float(_share(_share((ranking.hit * behind).sum(), positives), others))
    of_class, of_others = (
        _share(_share(behind, others) - value, positives),
        _share(_share(ahead, positives) - value, others),
    )
    return Estimate(value, ranking.by_example(np.where(ranking.hit > 0, of_class, of_others)))


def recall_where_sure(ranking: Ranking) -> Estimate:
    """The highest recall at a precision of 95 % or more, 0 where none is; the influence is for a fixed threshold."""
    sure = ranking.found / (ranking.last + 1) >= SURE
    found = ranking.found * sure
    best = int(found.argmax())
    value = float(_share(found[best], ranking.positives))
    within = (np.arange(len(found)) <= ranking.last[best]) & sure[best]
    return Estimate(value, ranking.by_example(_share(ranking.hit * (within - value), ranking.positives)))


def mean_of(values: NDArray[Any]) -> Estimate:
    """Of a number for each test example (N,)."""
    mean = float(_share(values.sum(), len(values)))
    return Estimate(mean, _share(values - mean, len(values)))


def brier(p: Predictions) -> Estimate:
    """The mean squared distance to the one-hot truth, summed over classes (Brier 1950): 0 to 2."""
    return mean_of(np.square(p.probabilities, dtype=np.float64).sum(1) - 2 * p.true + 1)


def log_loss(p: Predictions) -> Estimate:
    """The mean of -ln of the true class's probability, which is clipped at the float32 eps: at most 15.9."""
    return mean_of(-np.log(p.true.clip(EPS, 1 - EPS)))


def calibration_error(p: Predictions) -> Estimate:
    """Between the probability of the most probable class and how often it is the true one, in 15 bins of equal width
    (Guo et al. 2017, "On Calibration of Modern Neural Networks")."""
    bins = np.ceil(BINS * p.top.clip(max=1)).astype(np.int64)  # a softmax may be rounded to more than 1
    off = np.bincount(bins, p.top - p.top_right)
    return mean_of(np.sign(off)[bins] * (p.top - p.top_right))
