"""What predictions are worth: one table of metrics, by the probabilities of the test examples.

A line of METRICS is all that a new metric takes: records, leaderboard and report have it then, those of old runs too.
Averaged over classes of which one has no test examples, a metric is NaN, in JSON null.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..records import MetricInfo, Scores
from .estimates import (
    BINS,
    EPS,
    Estimate,
    Floats,
    Labels,
    Predictions,
    area_under_roc,
    average_precision,
    averaged,
    brier,
    calibration_error,
    log_loss,
    mean_f1,
    mean_of,
    mean_precision,
    mean_recall,
    recall_where_sure,
)


@dataclass(frozen=True)
class Metric:
    """`label` heads its column, `meaning` explains it to people; `threshold`: whether moving a decision threshold moves
    it, as it does whatever is computed from decisions; `most`: the highest value that there is."""

    name: str
    label: str
    meaning: str
    estimate: Callable[[Predictions], Estimate]
    higher_is_better: bool = True
    threshold: bool = True
    most: float = 1.0


METRICS = (
    Metric(
        "minority_recall",
        "Minority recall",
        "share of the rare test {plural} that are recognised, averaged over the rare classes",
        lambda p: mean_recall(p, p.rare),
    ),
    Metric(
        "rare_ap",
        "Rare AP",
        "average precision of a rare class against the rest, averaged over the rare classes: no threshold is chosen",
        lambda p: averaged(map(average_precision, p.ranked(p.rare))),
        threshold=False,
    ),
    Metric("balanced_accuracy", "Balanced acc.", "recall averaged over classes", lambda p: mean_recall(p, p.every)),
    Metric(
        "majority_recall",
        "Majority recall",
        "recall of the other classes: what the gain costs",
        lambda p: mean_recall(p, ~p.rare),
    ),
    Metric(
        "minority_precision",
        "Minority prec.",
        "share of the {plural} called rare that are",
        lambda p: mean_precision(p, p.rare),
    ),
    Metric(
        "minority_f1",
        "Minority F1",
        "harmonic mean of recall and precision of the rare classes",
        lambda p: mean_f1(p, p.rare),
    ),
    Metric(
        "rare_recall_at_p95",
        "Rare recall, 95 % prec.",
        "highest recall of a rare class at a precision of 95 % or more, averaged over the rare classes",
        lambda p: averaged(map(recall_where_sure, p.ranked(p.rare))),
        threshold=False,
    ),
    Metric("macro_f1", "Macro F1", "F1 averaged over classes, each counting the same", lambda p: mean_f1(p, p.every)),
    Metric("accuracy", "Accuracy", "share of all test {plural}; hides a lost rare class", lambda p: mean_of(p.right)),
    Metric(
        "auroc",
        "AUROC",
        "area under the ROC curve of a class against the rest, averaged over classes",
        lambda p: averaged(map(area_under_roc, p.ranked(p.every))),
        threshold=False,
    ),
    Metric(
        "brier",
        "Brier score",
        "squared distance of the probabilities to the truth, summed over classes",
        brier,
        higher_is_better=False,
        threshold=False,
        most=2.0,
    ),
    Metric(
        "log_loss",
        "Log loss",
        f"negative natural logarithm of the true class's probability, which is clipped at {EPS:.1e}",
        log_loss,
        higher_is_better=False,
        threshold=False,
        most=math.inf,
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


def estimates(p: Predictions) -> dict[str, Estimate]:
    """Every metric by name. `minority_*`, `rare_*` and `majority_recall` are means over the classes."""
    return {metric.name: metric.estimate(p) for metric in METRICS}


def scores(p: Predictions, known: Mapping[str, Estimate]) -> Scores:
    """What a record tells of predictions, of which the metrics are known."""
    return {
        "metrics": {name: _number(one.value) for name, one in known.items()},
        "per_class": {
            "recall": [_number(value) for value in p.recall],
            "precision": [_number(value) for value in p.precision],
            "f1": [_number(value) for value in p.f1],
        },
        "confusion_matrix": p.confusion.tolist(),
    }


def evaluate(
    probabilities: NDArray[np.float32], labels: Labels, minority: Sequence[int], thresholds: Floats | None = None
) -> Scores:
    """The scores of probabilities (N, K) float32, and of what is decided by `thresholds` (K,), for a test set of labels
    (N,) int64."""
    found = Predictions(probabilities, labels, minority, thresholds)
    return scores(found, estimates(found))


def mean_scores(each: Sequence[Scores]) -> Scores:
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
