"""What a strategy may change of a fit, and the table of them all."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ...datasets.base import Labels
from ...registry import Registry
from ..base import Thresholds
from ..strategies import Strategy

Weights = NDArray[np.float64] | None


def in_fit(weights: Weights) -> dict[str, Any]:
    """What a classifier's `fit` is given of them."""
    return {} if weights is None else {"sample_weight": weights}


class TableStrategy(Strategy):
    """How the classifier is fitted: by default, on the rows as they are. A subclass writes what it does otherwise.

    `weighs`: it gives the classifier weights of the rows. `decides`: it finds thresholds only, for a classifier that is
    fitted plainly.
    """

    weighs: ClassVar[bool] = False
    decides: ClassVar[bool] = False

    def fit(
        self, make: Callable[[], Any], x: Any, labels: Labels, seed: int, kept: int, weights: Weights = None
    ) -> Any:
        """A fitted classifier with `predict_proba`; `make()` gives a new one of scikit-learn's sort.

        The first `kept` rows are real, the others were added. `weights` (N,): how much each counts; None: all the same.
        """
        return make().fit(x, labels, **in_fit(weights))

    def thresholds(self, fitted: Any) -> Thresholds | None:
        """(K,): what the probabilities of a fitted classifier are divided by before the largest decides; None where the
        most probable class is decided."""
        return None

    def refuses(self, classes: int) -> str | None:
        """Why it cannot be done with so many classes; None when it can."""
        return None


TABLE_STRATEGIES: Registry[TableStrategy] = Registry("strategy", TableStrategy, __package__)
register = TABLE_STRATEGIES.register
