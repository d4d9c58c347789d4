"""A classifier's own settings, chosen by trials on folds of the training rows.

Takuya Akiba et al., Optuna: A Next-generation Hyperparameter Optimization Framework, KDD 2019; James Bergstra et al.,
Algorithms for Hyper-Parameter Optimization, NeurIPS 2011 (the sampler, TPE).
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..datasets.base import DataSet, Labels
from ..errors import FillbenchError

FOLDS = 3


class Range(NamedTuple):
    """What a setting is chosen from, both ends included; whole numbers where these are."""

    low: float
    high: float
    log: bool = True


def folds(data: DataSet, kept: int, rare: Sequence[int], seed: int) -> list[tuple[DataSet, DataSet]]:
    """What is fitted and what validates, stratified: each of the first `kept` rows validates once. The others, which
    were added, are only ever fitted to, and not where they repeat a row that validates.

    The folds of a seed are the same for every arm. Raises FillbenchError where a rare class has a single kept row.
    """
    from sklearn.model_selection import StratifiedKFold

    labels = np.array(data.labels[:kept])
    for label in rare:
        if (labels == label).sum() < 2:
            raise FillbenchError(f"--tune needs two kept rows or more of '{data.class_names[label]}': keep more")
    fewest = int(np.bincount(labels, minlength=len(data.class_names))[list(rare)].min())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # a class that is not rare may have fewer rows than folds
        splits = list(StratifiedKFold(min(FOLDS, fewest), shuffle=True, random_state=seed).split(labels, labels))
    added = np.arange(kept, len(data))
    found = []
    for fitted, validating in splits:
        held_back = {row.tobytes() for row in data.x[validating]}
        fresh = [spot for spot in added if data.x[spot].tobytes() not in held_back]
        found.append((data.take(np.array([*fitted, *fresh], np.int64)), data.take(validating)))
    return found


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
