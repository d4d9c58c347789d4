"""A decision threshold found on folds of the kept rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ...datasets.base import Labels
from ..base import Thresholds
from ..folds import folds
from .base import TableStrategy, Weights, in_fit, register

FOLDS = 5


@register("tuned-threshold")
class TunedThreshold(TableStrategy):
    """The threshold of best balanced accuracy on five folds of the kept rows."""

    cheap = True
    decides = True

    def fit(
        self, make: Callable[[], Any], x: Any, labels: Labels, seed: int, kept: int, weights: Weights = None
    ) -> Any:
        """By scikit-learn's TunedThresholdClassifierCV, whose probabilities are those of plain fitting."""
        from sklearn.model_selection import TunedThresholdClassifierCV

        if np.bincount(labels[:kept], minlength=2).min() < 2:  # there is nothing to find it on
            return make().fit(x, labels, **in_fit(weights))
        spots = folds(x, labels, kept, (0, 1), FOLDS, seed)
        return TunedThresholdClassifierCV(make(), scoring="balanced_accuracy", cv=spots).fit(
            x, labels, **in_fit(weights)
        )

    def thresholds(self, fitted: Any) -> Thresholds:
        """That of the second class, and what is left of 1 for the first."""
        eps = np.finfo(np.float32).eps
        threshold = np.clip(getattr(fitted, "best_threshold_", 0.5), eps, 1 - eps)
        return np.array([1 - threshold, threshold])

    def refuses(self, classes: int) -> str | None:
        """A threshold divides two."""
        return None if classes == 2 else f"finds one threshold, and there are {classes} classes"
