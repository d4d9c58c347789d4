"""A decision threshold found on folds of the training rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...datasets.base import Labels
from .base import TableStrategy, register

FOLDS = 5


class Thresholded:
    """A classifier of two classes whose larger probability is what it decides: odds are divided by the threshold's."""

    def __init__(self, plain: Any, threshold: float) -> None:
        self.plain, self.threshold = plain, threshold
        self.classes_ = plain.classes_

    def predict_proba(self, x: Any) -> NDArray[np.float64]:
        """(N, 2)."""
        of_first, of_second = self.plain.predict_proba(x).T
        scaled = np.stack([of_first * self.threshold, of_second * (1 - self.threshold)], axis=1)
        return scaled / scaled.sum(1, keepdims=True)


@register("tuned-threshold")
class TunedThreshold(TableStrategy):
    """The threshold of best balanced accuracy on five folds of the training rows."""

    cheap = True

    def fit(self, make: Callable[[], Any], x: Any, labels: Labels, seed: int) -> Any:
        """By scikit-learn's TunedThresholdClassifierCV."""
        from sklearn.model_selection import StratifiedKFold, TunedThresholdClassifierCV

        if np.bincount(labels, minlength=2).min() < 2:  # there is nothing to find it on
            return make().fit(x, labels)
        folds = StratifiedKFold(min(FOLDS, int(np.bincount(labels).min())), shuffle=True, random_state=seed)
        tuned = TunedThresholdClassifierCV(make(), scoring="balanced_accuracy", cv=folds).fit(x, labels)
        eps = np.finfo(np.float32).eps
        return Thresholded(tuned.estimator_, float(np.clip(tuned.best_threshold_, eps, 1 - eps)))

    def refuses(self, classes: int) -> str | None:
        """A threshold divides two."""
        return None if classes == 2 else f"finds one threshold, and there are {classes} classes"
