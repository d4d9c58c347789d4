"""Classifiers of rows, in scikit-learn's manner."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Config:
    """How every arm's classifier is fitted. `iterations`: boosting rounds, or trees.

    All else is as its library has it, and nothing is stopped early.
    """

    model: str = "gradient-boosting"
    iterations: Annotated[int, Field(gt=0)] = 100


def _gradient_boosting(config: Config, seed: int, few: Flags) -> Any:
    from sklearn.ensemble import HistGradientBoostingClassifier

    return HistGradientBoostingClassifier(
        max_iter=config.iterations, early_stopping=False, categorical_features=few, random_state=seed
    )


def _xgboost(config: Config, seed: int, few: Flags) -> Any:
    from xgboost import XGBClassifier

    kinds = ["c" if category else "q" for category in few]
    return XGBClassifier(
        n_estimators=config.iterations, feature_types=kinds, enable_categorical=True, random_state=seed, n_jobs=1
    )


def _lightgbm(config: Config, seed: int, few: Flags) -> Any:
    from lightgbm import LGBMClassifier

    return LGBMClassifier(n_estimators=config.iterations, random_state=seed, n_jobs=1, verbose=-1, deterministic=True)


def _logistic(config: Config, seed: int, few: Flags) -> Any:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(max_iter=1000)


def _random_forest(config: Config, seed: int, few: Flags) -> Any:
    from sklearn.ensemble import RandomForestClassifier

    return RandomForestClassifier(config.iterations, random_state=seed)


@dataclass(frozen=True)
class Learner:
    """How a classifier is made; whether it takes rows `raw`, missing values and codes of categories included; the
    `package` that it needs besides ours."""

    make: Callable[[Config, int, Flags], Any]
    raw: bool = True
    package: str = "sklearn"


LEARNERS = {
    "gradient-boosting": Learner(_gradient_boosting),
    "xgboost": Learner(_xgboost, package="xgboost"),
    "lightgbm": Learner(_lightgbm, raw=False, package="lightgbm"),
    "logistic": Learner(_logistic, raw=False),
    "random-forest": Learner(_random_forest, raw=False),
}
