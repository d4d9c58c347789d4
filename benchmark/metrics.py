"""What a cell's predictions are worth: torchmetrics over the test set, the minority first."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torchmetrics import functional as M


def evaluate(probabilities: NDArray[np.float32], labels: NDArray[np.int64], minority: Sequence[int]) -> dict[str, Any]:
    """`metrics`, `per_class` and `confusion_matrix` (rows: true class) of a record.

    probabilities: (N, K) float32. labels: (N,) int64. `minority_*` and `majority_recall` are means over the classes.
    """
    probs, truth = torch.from_numpy(np.array(probabilities)), torch.from_numpy(np.array(labels))
    classes = probs.shape[1]
    options: dict[str, Any] = {"task": "multiclass", "num_classes": classes}
    recall, precision, f1 = (
        metric(probs, truth, average="none", **options).double().numpy()
        for metric in (M.recall, M.precision, M.f1_score)
    )
    rare = np.isin(np.arange(classes), minority)
    support = np.bincount(labels, minlength=classes)
    auroc: Any = M.auroc(probs, truth, average="macro", **options)
    metrics = {
        "minority_recall": recall[rare].mean(),
        "minority_precision": precision[rare].mean(),
        "minority_f1": f1[rare].mean(),
        "macro_f1": f1.mean(),
        "balanced_accuracy": recall.mean(),
        "g_mean": float(np.prod(recall ** (1 / classes))),
        "accuracy": float((probs.argmax(1) == truth).double().mean()),
        "weighted_f1": float(np.average(f1, weights=support)),
        "auroc": float(auroc),
        "majority_recall": recall[~rare].mean(),
    }
    return {
        "metrics": {name: _number(value) for name, value in metrics.items()},
        "per_class": {"recall": recall.tolist(), "precision": precision.tolist(), "f1": f1.tolist()},
        "confusion_matrix": M.confusion_matrix(probs, truth, **options).tolist(),
    }


def averaged(evaluations: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """What `evaluate` gives, over classifiers that differ in their seed only: means, and the sum of the matrices."""

    def mean(values: Any) -> Any:
        return None if any(value is None for value in values) else np.mean(values, axis=0).tolist()

    first = evaluations[0]
    return {
        "metrics": {name: mean([one["metrics"][name] for one in evaluations]) for name in first["metrics"]},
        "per_class": {name: mean([one["per_class"][name] for one in evaluations]) for name in first["per_class"]},
        "confusion_matrix": np.sum([one["confusion_matrix"] for one in evaluations], axis=0).tolist(),
    }


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None  # JSON has no NaN
