"""Classifiers of rows, in scikit-learn's manner."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field

from .tuning import Range

Flags = NDArray[np.bool_]
TABICL = ("jingang/TabICL", "tabicl-classifier-v2-20260212.ckpt")  # the same weights whatever version is installed


@dataclass(frozen=True)
class Config:
    """How every arm's classifier is fitted. `iterations`: boosting rounds, trees, or optimiser steps. `tune`: how many
    trials choose its other settings, for every arm as many.

    All else is as its library has it, and nothing is stopped early.
    """

    model: str = "gradient-boosting"
    iterations: Annotated[int, Field(gt=0)] | None = None
    tune: Annotated[int, Field(ge=0)] = 0


@dataclass(frozen=True)
class Tuned(Config):
    """With the settings that trials chose for an arm."""

    chosen: Mapping[str, int | float] = field(default_factory=dict)


def _gradient_boosting(config: Config, seed: int, few: Flags, device: torch.device) -> Any:
    from sklearn.ensemble import HistGradientBoostingClassifier

    return HistGradientBoostingClassifier(
        max_iter=config.iterations, early_stopping=False, categorical_features=few, random_state=seed
    )


def _xgboost(config: Config, seed: int, few: Flags, device: torch.device) -> Any:
    from xgboost import XGBClassifier

    kinds = ["c" if category else "q" for category in few]
    return XGBClassifier(
        n_estimators=config.iterations, feature_types=kinds, enable_categorical=True, random_state=seed, n_jobs=1
    )


def _lightgbm(config: Config, seed: int, few: Flags, device: torch.device) -> Any:
    from lightgbm import LGBMClassifier

    assert config.iterations is not None, "settle comes before train"
    return LGBMClassifier(n_estimators=config.iterations, random_state=seed, n_jobs=1, verbose=-1, deterministic=True)


def _logistic(config: Config, seed: int, few: Flags, device: torch.device) -> Any:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(max_iter=1000)


def _random_forest(config: Config, seed: int, few: Flags, device: torch.device) -> Any:
    from sklearn.ensemble import RandomForestClassifier

    return RandomForestClassifier(config.iterations, random_state=seed)


def _mlp(config: Config, seed: int, few: Flags, device: torch.device) -> Any:
    from .mlp import MLP

    assert config.iterations is not None, "settle comes before train"
    return MLP(config.iterations, random_state=seed, device=str(device))


def _tabicl(config: Config, seed: int, few: Flags, device: torch.device) -> Any:
    """Qu et al. 2025, "TabICL: A Tabular Foundation Model for In-Context Learning on Large Data"."""
    from tabicl import TabICLClassifier

    return TabICLClassifier(
        checkpoint_version=TABICL[1], allow_auto_download=False, random_state=seed, device=str(device)
    )


def _without_tabicl() -> str | None:
    from huggingface_hub import try_to_load_from_cache

    here = isinstance(try_to_load_from_cache(*TABICL), str)
    return None if here else f"its weights are not here; fetch them with: hf download {' '.join(TABICL)}"


def _nothing() -> None:
    return None


@dataclass(frozen=True)
class Learner:
    """How a classifier is made; whether it takes rows `raw`, missing values and codes of categories included; the
    `package` that it needs besides ours, and what else it `lacks` here; how many `iterations` it has by default, None
    where it has none; whether it takes rows with weights (`weighs`); the `space` that other settings are tuned in."""

    make: Callable[[Config, int, Flags, torch.device], Any]
    raw: bool = True
    package: str = "sklearn"
    iterations: int | None = 100
    weighs: bool = True
    lacks: Callable[[], str | None] = _nothing
    space: Mapping[str, Range] = field(default_factory=dict)


RATE = Range(0.01, 0.5)
LEAVES, ROWS = Range(4, 64), Range(2, 20)  # of a tree, and of a leaf
LEARNERS = {
    "gradient-boosting": Learner(
        _gradient_boosting,
        space={
            "learning_rate": RATE,
            "max_leaf_nodes": LEAVES,
            "min_samples_leaf": ROWS,
            "l2_regularization": Range(1e-3, 10.0),
        },
    ),
    "xgboost": Learner(
        _xgboost,
        package="xgboost",
        space={
            "learning_rate": RATE,
            "max_depth": Range(2, 10),
            "min_child_weight": Range(0.1, 20.0),
            "reg_lambda": Range(0.1, 10.0),
        },
    ),
    "lightgbm": Learner(
        _lightgbm,
        raw=False,
        package="lightgbm",
        space={
            "learning_rate": RATE,
            "num_leaves": LEAVES,
            "min_child_samples": ROWS,
            "reg_lambda": Range(1e-3, 10.0),
        },
    ),
    "logistic": Learner(_logistic, raw=False, iterations=None, space={"C": Range(1e-3, 1e3)}),
    "random-forest": Learner(
        _random_forest,
        raw=False,
        space={"max_features": Range(0.1, 1.0, log=False), "min_samples_leaf": Range(1, 20)},
    ),
    "mlp": Learner(
        _mlp,
        raw=False,
        iterations=500,
        space={"learning_rate": Range(1e-4, 1e-2), "weight_decay": Range(1e-4, 1.0)},
    ),
    "tabicl": Learner(_tabicl, package="tabicl", iterations=None, weighs=False, lacks=_without_tabicl),
}
