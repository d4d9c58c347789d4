"""A classifier's own settings, chosen by trials on folds of the training rows.

Takuya Akiba et al., Optuna: A Next-generation Hyperparameter Optimization Framework, KDD 2019; James Bergstra et al.,
Algorithms for Hyper-Parameter Optimization, NeurIPS 2011 (the sampler, TPE).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..datasets.base import Labels


class Range(NamedTuple):
    """What a setting is chosen from, both ends included; whole numbers where these are."""

    low: float
    high: float
    log: bool = True


def knowing(probabilities: NDArray[np.float32], labels: Labels, rare: Sequence[int]) -> float:
    """The average precision of the rare classes, which verdicts look at too. No threshold moves it, so no settings are
    chosen for where a strategy, or filling, puts the threshold."""
    from sklearn.metrics import average_precision_score

    return float(np.mean([average_precision_score(labels == label, probabilities[:, label]) for label in rare]))


def best(
    space: Mapping[str, Range],
    trials: int,
    seed: int,
    score: Callable[[dict[str, float]], float],
    progress: Callable[[int, int], None],
) -> dict[str, float]:
    """The settings of the highest score of so many trials."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)

    def trial_of(trial: Any) -> float:
        return score({name: _suggested(trial, name, one) for name, one in space.items()})

    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=seed))
    study.optimize(trial_of, n_trials=trials, callbacks=[lambda _, trial: progress(trial.number + 1, trials)])
    return study.best_params


def _suggested(trial: Any, name: str, one: Range) -> float:
    suggest = trial.suggest_int if isinstance(one.low, int) else trial.suggest_float
    return suggest(name, one.low, one.high, log=one.log)
