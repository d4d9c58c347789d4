"""How well synthetic rows can be told from real ones."""

from __future__ import annotations

import numpy as np

from ...datasets.tables import Rows, TableTraits
from .quality import FEWEST

FOLDS, ROUNDS = 3, 50
MOST_CATEGORIES = 255  # that scikit-learn's boosting takes


def detection(made: Rows, real: Rows, traits: TableTraits) -> float | None:
    """The AUROC of gradient boosting between as many of both, cross-validated: 0.5 where they cannot be told apart."""
    if len(made) < FEWEST:
        return None
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.model_selection import StratifiedKFold, cross_val_score

    few = [column.categories is not None and len(column.categories) < MOST_CATEGORIES for column in traits.columns]
    model = HistGradientBoostingClassifier(
        max_iter=ROUNDS, early_stopping=False, categorical_features=few, random_state=0
    )
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=0)
    x, synthetic = np.concatenate([made, real]), np.repeat([1, 0], [len(made), len(real)])
    return float(cross_val_score(model, x, synthetic, cv=folds, scoring="roc_auc").mean())
