"""Weights that make every class count the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ...datasets.base import Labels
from .base import TableStrategy, Weights, register


@register("class-balanced")
class ClassBalanced(TableStrategy):
    """Rows weighted by the inverse of their class's share."""

    cheap = True
    weighs = True

    def fit(
        self, make: Callable[[], Any], x: Any, labels: Labels, seed: int, kept: int, weights: Weights = None
    ) -> Any:
        """With scikit-learn's balanced weights."""
        from sklearn.utils.class_weight import compute_sample_weight

        balanced = compute_sample_weight("balanced", labels)
        if weights is not None:
            counted = np.bincount(labels, weights)
            balanced = weights * (weights.sum() / (counted > 0).sum() / counted[labels])
        return make().fit(x, labels, sample_weight=balanced)
