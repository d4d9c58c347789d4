"""What predictions are worth: one table of metrics, by the probabilities of the test examples.

A line of METRICS is all that a new metric takes: records, leaderboard and report have it then, those of old runs too.
Averaged over classes of which one has no test examples, a metric is NaN, in JSON null.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..records import MetricInfo, Scores

Values = NDArray[np.float64]
Counts = NDArray[np.int64]
EPS = float(np.finfo(np.float32).eps)  # probabilities are float32: what is nearer to 0 or 1 is not told apart
BINS = 15
SURE = 0.95


class Curve(NamedTuple):
    """One class against the `others`, so many, at the probability of each of its P test examples as a threshold: how
    many examples are `called` it, how many of these `rightly`, and how many others are `ahead`, above the threshold and
    not at it; each (P,). No threshold tells equal probabilities apart."""

    called: Counts
    rightly: Counts
    ahead: Counts
    others: int


class Predictions:
    """Probabilities (N, K) float32, whose rows need not add up to exactly 1, for labels (N,) int64.

    `rare`: which classes are of the minority, (K,) bool. `right` (N,) bool: whether the most probable class, the first
    of several, is the true one. `top`, `true`: the probabilities of both, (N,). `confusion` (K, K): rows are true.
    """

    def __init__(self, probabilities: NDArray[np.float32], labels: Counts, minority: Sequence[int]) -> None:
        classes, rows, guess = probabilities.shape[1], np.arange(len(labels)), probabilities.argmax(1)
        self.probabilities, self.labels, self.right = probabilities, labels, guess == labels
        self.top, self.true = (probabilities[rows, of].astype(np.float64) for of in (guess, labels))
        self.rare = np.isin(np.arange(classes), minority)
        self.confusion = np.bincount(classes * labels + guess, minlength=classes**2).reshape(classes, classes)
        self.hits, self.support, self.called = self.confusion.diagonal(), self.confusion.sum(1), self.confusion.sum(0)

    @cached_property
    def recall(self) -> Values:
        """Of each class, (K,); as precision and F1, NaN where the test set has none of it."""
        return _share(self.hits, self.support)

    @cached_property
    def precision(self) -> Values:
        """Of each class, (K,); 0 where nothing is called it."""
        return np.where(self.support, self.hits / np.maximum(self.called, 1), np.nan)

    @cached_property
    def f1(self) -> Values:
        """Of each class, (K,)."""
        return np.where(self.support, 2 * self.hits / np.maximum(self.called + self.support, 1), np.nan)

    @cached_property
    def curves(self) -> list[Curve]:
        """Of each class."""
        found = []
        for label, every in enumerate(np.sort(self.probabilities.T)):
            own = np.sort(self.probabilities[self.labels == label, label])
            called, rightly = (len(values) - values.searchsorted(own) for values in (every, own))
            above, rightly_above = (len(values) - values.searchsorted(own, "right") for values in (every, own))
            found.append(Curve(called, rightly, above - rightly_above, len(every) - len(own)))
        return found

    @property
    def rare_curves(self) -> list[Curve]:
        """Of each rare class."""
        return [curve for curve, rare in zip(self.curves, self.rare, strict=True) if rare]


def _share(part: Any, whole: Any) -> Any:
    """NaN of nothing."""
    with np.errstate(invalid="ignore"):
        return np.divide(part, whole)


def _mean(values: Sequence[float] | NDArray[Any]) -> float:
    return float(_share(np.sum(values), len(values)))


def average_precision(curve: Curve) -> float:
    """The precision at every example of the class, averaged: nothing is interpolated."""
    return _mean(curve.rightly / curve.called)


def area_under_roc(curve: Curve) -> float:
    """How often an example of the class is above another, ties counting half (Mann and Whitney's U)."""
    return float(1 - _share(_mean(curve.ahead + curve.called - curve.rightly), 2 * curve.others))


def recall_where_sure(curve: Curve) -> float:
    """The highest recall at a precision of 95 % or more, 0 where none is."""
    sure = curve.rightly / curve.called >= SURE
    return float(_share(curve.rightly[sure].max(initial=0), len(curve.rightly)))


def brier(p: Predictions) -> float:
    """The mean squared distance to the one-hot truth, summed over classes (Brier 1950): 0 to 2."""
    return float((np.square(p.probabilities, dtype=np.float64).sum(1) - 2 * p.true + 1).mean())


def log_loss(p: Predictions) -> float:
    """The mean of -ln of the true class's probability, which is clipped at the float32 eps: at most 15.9."""
    return float(-np.log(p.true.clip(EPS, 1 - EPS)).mean())


def calibration_error(p: Predictions) -> float:
    """Between the probability of the most probable class and how often it is the true one, in 15 bins of equal width
    (Guo et al. 2017, "On Calibration of Modern Neural Networks")."""
    bins = np.ceil(BINS * p.top.clip(max=1)).astype(np.int64)  # a softmax may be rounded to more than 1
    return float(np.abs(np.bincount(bins, p.top - p.right)).sum() / len(bins))


@dataclass(frozen=True)
class Metric:
    """`label` heads its column, `meaning` explains it to people; `threshold`: whether moving a decision threshold moves
    it, as it does whatever is computed from decisions."""

    name: str
    label: str
    meaning: str
    compute: Callable[[Predictions], float]
    higher_is_better: bool = True
    threshold: bool = True


METRICS = (
    Metric(
        "minority_recall",
        "Minority recall",
        "share of the rare test {plural} that are recognised, averaged over the rare classes",
        lambda p: _mean(p.recall[p.rare]),
    ),
    Metric(
        "rare_ap",
        "Rare AP",
        "average precision of a rare class against the rest, averaged over the rare classes: no threshold is chosen",
        lambda p: _mean([average_precision(curve) for curve in p.rare_curves]),
        threshold=False,
    ),
    Metric("balanced_accuracy", "Balanced acc.", "recall averaged over classes", lambda p: _mean(p.recall)),
    Metric(
        "majority_recall",
        "Majority recall",
        "recall of the other classes: what the gain costs",
        lambda p: _mean(p.recall[~p.rare]),
    ),
    Metric(
        "minority_precision",
        "Minority prec.",
        "share of the {plural} called rare that are",
        lambda p: _mean(p.precision[p.rare]),
    ),
    Metric(
        "minority_f1",
        "Minority F1",
        "harmonic mean of recall and precision of the rare classes",
        lambda p: _mean(p.f1[p.rare]),
    ),
    Metric(
        "rare_recall_at_p95",
        "Rare recall, 95 % prec.",
        "highest recall of a rare class at a precision of 95 % or more, averaged over the rare classes",
        lambda p: _mean([recall_where_sure(curve) for curve in p.rare_curves]),
        threshold=False,
    ),
    Metric("macro_f1", "Macro F1", "F1 averaged over classes, each counting the same", lambda p: _mean(p.f1)),
    Metric(
        "g_mean",
        "G-mean",
        "geometric mean of the recalls: 0 as soon as one class is lost",
        lambda p: float(np.prod(p.recall ** (1 / len(p.recall)))),
    ),
    Metric("accuracy", "Accuracy", "share of all test {plural}; hides a lost rare class", lambda p: _mean(p.right)),
    Metric(
        "weighted_f1",
        "Weighted F1",
        "F1 averaged by class size",
        lambda p: float(np.nansum(p.f1 * p.support) / len(p.right)),
    ),
    Metric(
        "auroc",
        "AUROC",
        "area under the ROC curve of a class against the rest, averaged over classes",
        lambda p: _mean([area_under_roc(curve) for curve in p.curves]),
        threshold=False,
    ),
    Metric(
        "brier",
        "Brier score",
        "squared distance of the probabilities to the truth, summed over classes",
        brier,
        higher_is_better=False,
        threshold=False,
    ),
    Metric(
        "log_loss",
        "Log loss",
        f"negative natural logarithm of the true class's probability, which is clipped at {EPS:.1e}",
        log_loss,
        higher_is_better=False,
        threshold=False,
    ),
    Metric(
        "ece",
        "ECE",
        f"expected calibration error: distance of the top class's probability to how often it is right, {BINS} bins",
        calibration_error,
        higher_is_better=False,
        threshold=False,
    ),
)


def described(said: Callable[[str], str]) -> list[MetricInfo]:
    """The table, its meanings in the words of the data, which `said` puts in."""
    return [
        {
            "name": metric.name,
            "label": metric.label,
            "meaning": said(metric.meaning),
            "higher_is_better": metric.higher_is_better,
            "threshold": metric.threshold,
        }
        for metric in METRICS
    ]


def evaluate(probabilities: NDArray[np.float32], labels: Counts, minority: Sequence[int]) -> Scores:
    """Every metric of probabilities (N, K) float32 for a test set of labels (N,) int64.

    `minority_*`, `rare_*` and `majority_recall` are means over the classes.
    """
    found = Predictions(probabilities, labels, minority)
    return {
        "metrics": {metric.name: _number(metric.compute(found)) for metric in METRICS},
        "per_class": {
            "recall": [_number(value) for value in found.recall],
            "precision": [_number(value) for value in found.precision],
            "f1": [_number(value) for value in found.f1],
        },
        "confusion_matrix": found.confusion.tolist(),
    }


def averaged(each: Sequence[Scores]) -> Scores:
    """Over classifiers that differ in their seed only: means, and the sum of the matrices."""

    def mean(values: list[Any]) -> float | None:
        return None if None in values else float(np.mean(values))

    def means(rows: list[list[float | None]]) -> list[float | None]:
        return [mean(list(of_a_class)) for of_a_class in zip(*rows, strict=True)]

    return {
        "metrics": {name: mean([one["metrics"][name] for one in each]) for name in each[0]["metrics"]},
        "per_class": {
            "recall": means([one["per_class"]["recall"] for one in each]),
            "precision": means([one["per_class"]["precision"] for one in each]),
            "f1": means([one["per_class"]["f1"] for one in each]),
        },
        "confusion_matrix": np.sum([one["confusion_matrix"] for one in each], axis=0).tolist(),
    }


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None  # JSON has no NaN
