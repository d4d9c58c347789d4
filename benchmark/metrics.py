"""What a cell's predictions are worth: one table of metrics, by torchmetrics over the test set.

A line of METRICS is all that a new metric takes: records, leaderboard and report have it then.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ..datasets import Traits
from ..records import MetricInfo, Scores

Values = NDArray[np.float64]


class Predictions:
    """Probabilities (N, K) float32 for a test set of labels (N,) int64, and what most metrics ask of them.

    `recall`, `precision`, `f1`: of each class, (K,). `rare`: which classes are of the minority, (K,) bool.
    """

    def __init__(self, probabilities: NDArray[np.float32], labels: NDArray[np.int64], minority: Sequence[int]) -> None:
        self.probabilities, self.truth = torch.from_numpy(np.array(probabilities)), torch.from_numpy(np.array(labels))
        classes = self.probabilities.shape[1]
        self.rare = np.isin(np.arange(classes), minority)
        self.support = np.bincount(labels, minlength=classes)

    def by(self, metric: str, **options: Any) -> torch.Tensor:
        """What the multi-class metric of that name of torchmetrics gives."""
        from torchmetrics import functional  # seconds to import, and a run from the cache asks for no metric

        return getattr(functional, metric)(
            self.probabilities, self.truth, task="multiclass", num_classes=len(self.rare), **options
        )

    @cached_property
    def recall(self) -> Values:
        return self.by("recall", average="none").double().numpy()

    @cached_property
    def precision(self) -> Values:
        return self.by("precision", average="none").double().numpy()

    @cached_property
    def f1(self) -> Values:
        return self.by("f1_score", average="none").double().numpy()

    @property
    def right(self) -> torch.Tensor:
        """(N,) bool: whether the most probable class is the true one."""
        return self.probabilities.argmax(1) == self.truth


@dataclass(frozen=True)
class Metric:
    """`label` heads its column, `meaning` explains it to people; `threshold`: whether moving the decision threshold
    moves it."""

    name: str
    label: str
    meaning: str
    compute: Callable[[Predictions], Any]
    higher_is_better: bool = True
    threshold: bool = True


METRICS = (
    Metric(
        "minority_recall",
        "Minority recall",
        "share of the rare test {plural} that are recognised, averaged over the rare classes",
        lambda p: p.recall[p.rare].mean(),
    ),
    Metric(
        "minority_f1",
        "Minority F1",
        "harmonic mean of recall and precision of the rare classes",
        lambda p: p.f1[p.rare].mean(),
    ),
    Metric("macro_f1", "Macro F1", "F1 averaged over classes, each counting the same", lambda p: p.f1.mean()),
    Metric("balanced_accuracy", "Balanced acc.", "recall averaged over classes", lambda p: p.recall.mean()),
    Metric(
        "g_mean",
        "G-mean",
        "geometric mean of the recalls: 0 as soon as one class is lost",
        lambda p: np.prod(p.recall ** (1 / len(p.recall))),
    ),
    Metric(
        "accuracy",
        "Accuracy",
        "share of all test {plural}; hides a lost rare class",
        lambda p: p.right.double().mean(),
    ),
    Metric("weighted_f1", "Weighted F1", "F1 averaged by class size", lambda p: np.average(p.f1, weights=p.support)),
    Metric(
        "auroc",
        "AUROC",
        "area under the ROC curve, one class against the rest",
        lambda p: p.by("auroc", average="macro"),
        threshold=False,
    ),
    Metric(
        "majority_recall",
        "Majority recall",
        "recall of the other classes: what the gain costs",
        lambda p: p.recall[~p.rare].mean(),
    ),
    Metric(
        "minority_precision",
        "Minority prec.",
        "share of the {plural} called rare that are",
        lambda p: p.precision[p.rare].mean(),
    ),
)


def described(traits: Traits) -> list[MetricInfo]:
    """The table for run.json, so that a report knows it from the records alone."""
    return [
        {
            "name": metric.name,
            "label": metric.label,
            "meaning": metric.meaning.format(plural=traits.plural),
            "higher_is_better": metric.higher_is_better,
            "threshold": metric.threshold,
        }
        for metric in METRICS
    ]


def evaluate(probabilities: NDArray[np.float32], labels: NDArray[np.int64], minority: Sequence[int]) -> Scores:
    """Every metric of probabilities (N, K) float32 for a test set of labels (N,) int64.

    `minority_*` and `majority_recall` are means over the classes.
    """
    found = Predictions(probabilities, labels, minority)
    return {
        "metrics": {metric.name: _number(metric.compute(found)) for metric in METRICS},
        "per_class": {
            "recall": found.recall.tolist(),
            "precision": found.precision.tolist(),
            "f1": found.f1.tolist(),
        },
        "confusion_matrix": found.by("confusion_matrix").tolist(),
    }


def averaged(each: Sequence[Scores]) -> Scores:
    """Over classifiers that differ in their seed only: means, and the sum of the matrices."""

    def mean(values: list[Any]) -> Any:
        return None if any(value is None for value in values) else np.mean(values, axis=0).tolist()

    return {
        "metrics": {metric.name: mean([one["metrics"][metric.name] for one in each]) for metric in METRICS},
        "per_class": {
            "recall": mean([one["per_class"]["recall"] for one in each]),
            "precision": mean([one["per_class"]["precision"] for one in each]),
            "f1": mean([one["per_class"]["f1"] for one in each]),
        },
        "confusion_matrix": np.sum([one["confusion_matrix"] for one in each], axis=0).tolist(),
    }


def _number(value: Any) -> float | None:
    return float(value) if math.isfinite(value) else None  # JSON has no NaN
