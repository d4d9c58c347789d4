"""How the columns of rows depend on each other: correlations, mutual information, and what the others say of a column.

A column that is shuffled keeps its own values and loses this.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr  # the normal distribution

from ...datasets.coding import Coding
from ...datasets.tables import Rows, TableTraits

Floats = NDArray[np.float64]
QUANTILES = 5  # of numbers, and as many categories, for mutual information
COLUMNS = 60  # that mutual information is computed of, at most
FEWEST = 8  # rows that a correlation is taken of
LOST = 0.3  # of the correlation that real rows have
SURE = 1.645  # standard errors: the kept rows have at least so much with 95 % confidence


def ranked(x: Rows, coding: Coding) -> Floats:
    """Rows (N, F), one-hot (N, D), as ranks within each column, of mean zero and unit variance; zero where constant."""
    import pandas as pd

    ranks = pd.DataFrame(coding.one_hot(x)).rank().to_numpy()
    centred = ranks - ranks.mean(0)
    return centred / np.maximum(centred.std(0), 1e-9)


def correlations(x: Rows, coding: Coding) -> Floats:
    """The rank correlations of all pairs of columns of numbers."""
    numbers = ~coding.traits.categorical
    _, first = np.unique(coding.owners(), return_index=True)
    ranks = ranked(x, coding)[:, first[numbers]]
    return _pairs(ranks.T @ ranks / len(x))


def information(x: Rows, real: Rows, traits: TableTraits) -> Floats:
    """The mutual information of all pairs of columns, over the mean of their entropies (Strehl and Ghosh 2002), less
    what few rows add to it (Miller 1955).

    Numbers are cut at the quantiles of the real rows; of categories those most frequent there are told apart.
    """
    columns = np.linspace(0, x.shape[1] - 1, min(COLUMNS, x.shape[1])).round().astype(int)
    numbers = ~traits.categorical
    codes = np.stack([_coded(x[:, spot], real[:, spot], bool(numbers[spot])) for spot in columns], axis=1)
    seen = (codes[:, :, None] == np.arange(QUANTILES + 1)).reshape(len(x), -1).astype(np.float64)
    joint = (seen.T @ seen / len(x)).reshape(len(columns), QUANTILES + 1, len(columns), QUANTILES + 1)
    both = _entropy(joint, (1, 3))
    single = np.diag(both)  # of a column with itself
    mean = (single[:, None] + single) / 2
    free = seen.reshape(len(x), len(columns), -1).any(0).sum(1) - 1
    shared = 2 * mean - both - free[:, None] * free / (2 * len(x))
    return _pairs(np.divide(shared, mean, out=np.zeros_like(mean), where=mean > 1e-9))


def _coded(values: Rows, real: Rows, numbers: bool) -> NDArray[np.int64]:
    """0..QUANTILES, which is a missing value."""
    absent = np.isnan(values)
    there = real[~np.isnan(real)]
    if numbers:
        cuts = np.quantile(there, np.arange(1, QUANTILES) / QUANTILES) if len(there) else there
        return np.where(absent, QUANTILES, np.searchsorted(cuts, values, side="right").clip(0, QUANTILES - 1))
    kinds, counts = np.unique(there, return_counts=True)
    common = kinds[np.argsort(-counts, kind="stable")][: QUANTILES - 1]
    found = np.where((values[:, None] == common).any(1), (values[:, None] == common).argmax(1), QUANTILES - 1)
    return np.where(absent, QUANTILES, found)


def _entropy(shares: Floats, axes: tuple[int, int]) -> Floats:
    return -(shares * np.log(np.where(shares > 0, shares, 1))).sum(axes)


def _pairs(matrix: Floats) -> Floats:
    return matrix[np.triu_indices(len(matrix), 1)]


def gap(one: Floats, other: Floats) -> float | None:
    """The mean absolute difference over pairs of columns; None where there is no pair."""
    return float(np.abs(one - other).mean()) if len(one) else None


class Dependence:
    """What the other columns say of each, learned from real rows: their sum, weighted by their correlations with it.

    Of the categories of a column that combination is taken which the others tell most of.
    """

    def __init__(self, real: Rows, coding: Coding) -> None:
        self.coding, of = coding, coding.owners()
        ranks = ranked(real, coding)
        weights = ranks.T @ ranks / len(real) * (of[:, None] != of)
        self.own = np.zeros((len(of), len(coding.traits.columns)))
        for column in range(self.own.shape[1]):
            self.own[of == column, column] = np.linalg.svd(weights[of == column], full_matrices=False)[0][:, 0]
        self.others = weights @ self.own

    def of(self, x: Rows) -> Floats:
        """The correlation of each column with what the others say of it, (F,): zero where there is none."""
        ranks = ranked(x, self.coding)
        own, told = ranks @ self.own, ranks @ self.others
        return (own * told).sum(0) / np.sqrt(np.maximum((own**2).sum(0) * (told**2).sum(0), 1e-9))


def lost(made: Rows, real: Rows, kept: Rows, test: Rows, coding: Coding) -> dict[str, Any]:
    """Whether a column has lost its dependence on the others, which is learned from real rows other than `test`.

    `dependence`, `dependence_real`: the mean over columns of `Dependence.of`, made and test. `lost_p`: the p-value, for
    all columns, of Fisher's test of the correlations of the column `lost`, which has less than LOST of what test rows
    have, or of what the kept ones, which are all that a generator knows, show to be there, if that is less.
    `lost_least`: the least p-value that a column without any dependence would have. None where rows are too few.
    """
    if min(len(made), len(real), len(test)) < FEWEST or len(coding.traits.columns) < 2:
        return dict.fromkeys(("dependence", "dependence_real", "lost", "lost_p", "lost_least"))
    dependence = Dependence(real, coding)
    own, honest, known = (dependence.of(x) for x in (made, test, kept))
    at_least = _fisher(known) - SURE * _error(len(kept))
    expected = np.minimum(_fisher(honest), at_least).clip(0)
    error = np.hypot(_error(len(made)), _error(len(test)))
    p = np.where(own < LOST * np.tanh(expected), ndtr((_fisher(own).clip(0) - expected) / error), 1.0)
    worst, columns = int(p.argmin()), len(expected)
    return {
        "dependence": float(own.mean()),
        "dependence_real": float(honest.mean()),
        "lost": coding.traits.columns[worst].name if p[worst] < 1 else None,
        "lost_p": min(1.0, float(p[worst]) * columns),
        "lost_least": min(1.0, float(ndtr(-expected.max() / error)) * columns),
    }


def _fisher(correlation: Floats) -> Floats:
    return np.arctanh(correlation.clip(-0.999, 0.999))


def _error(rows: int) -> float:
    """The standard error of Fisher's z of a rank correlation (Fieller 1957)."""
    return (1.06 / max(rows - 3, 0.1)) ** 0.5
