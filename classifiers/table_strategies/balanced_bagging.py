"""Xu-Ying Liu et al., Exploratory Undersampling for Class-Imbalance Learning, IEEE Transactions 2009 (EasyEnsemble's
idea, with any classifier)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...datasets.base import Labels
from ...errors import FillbenchError
from .base import TableStrategy, Weights, register

BAGS = 10


@register("balanced-bagging")
class BalancedBagging(TableStrategy):
    """The mean of ten classifiers, each on another balanced sample."""

    def fit(
        self, make: Callable[[], Any], x: Any, labels: Labels, seed: int, kept: int, weights: Weights = None
    ) -> Any:
        """imbalanced-learn's. Raises FillbenchError where rows have weights."""
        if weights is not None:
            raise FillbenchError("balanced-bagging takes no weights of rows")
        from imblearn.ensemble import BalancedBaggingClassifier

        return BalancedBaggingClassifier(make(), n_estimators=BAGS, random_state=seed).fit(x, labels)
