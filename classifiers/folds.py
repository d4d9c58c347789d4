"""Folds of an arm's training rows, on which something may be chosen."""

from __future__ import annotations

import warnings
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from ..datasets.base import Array, Labels

Spots = NDArray[np.int64]


def folds(x: Array, labels: Labels, kept: int, among: Iterable[int], most: int, seed: int) -> list[tuple[Spots, Spots]]:
    """Which rows are fitted to and which validate, stratified: each of the first `kept` rows validates once.

    The others, which were added, are only ever fitted to, and not where they repeat a row that validates. There are
    `most` folds, or as many as the smallest class `among` these has kept rows, which is two or more; those of a seed
    are the same for every arm.
    """
    from sklearn.model_selection import StratifiedKFold

    own = np.array(labels[:kept])
    fewest = min(int((own == label).sum()) for label in among)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # another class may have fewer rows than there are folds
        splits = list(StratifiedKFold(min(most, fewest), shuffle=True, random_state=seed).split(own, own))
    found = []
    for fitted, validating in splits:
        held_back = {row.tobytes() for row in x[validating]}
        fresh = [spot for spot in range(kept, len(x)) if x[spot].tobytes() not in held_back]
        found.append((np.array([*fitted, *fresh], np.int64), validating))
    return found
