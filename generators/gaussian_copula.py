"""Neha Patki et al., The Synthetic Data Vault, DSAA 2016: columns as they are, joined by a normal distribution.

With Ledoit and Wolf's (2004) estimate of the correlation, since a rare class has few rows for its columns.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from ..datasets.base import DataSet
from ..datasets.tables import Rows
from .base import Generator, register
from .encoders import fitted
from .oversample import require
from .state import State

Floats = NDArray[np.float64]


@register("gaussian-copula")
class GaussianCopula(Generator):
    """Each column's own distribution, and normal dependence between columns (Patki 2016)."""

    kinds = ("tables",)

    def _fit(self, train: DataSet, labels: tuple[int, ...]) -> None:
        require(2, train, labels, f"{self.name} takes the spread of")
        self._open(train)
        rows = self.encoder.rows(train.x).astype(np.float64)
        self.values = {str(label): np.sort(rows[train.labels == label], axis=0) for label in labels}
        self.roots = {str(label): self._root(rows[train.labels == label]) for label in labels}

    def _open(self, train: DataSet) -> None:
        self.train = train
        self.encoder = fitted(train)

    def _root(self, rows: Floats) -> Floats:
        """The lower root of the correlation of normal scores, (M, M)."""
        from sklearn.covariance import ledoit_wolf

        scores = ndtri(np.stack([self._ranks(values) for values in rows.T], axis=1))
        covariance, _ = ledoit_wolf(scores)
        scale = np.sqrt(np.diag(covariance).clip(1e-12))
        return np.linalg.cholesky(covariance / np.outer(scale, scale) + 1e-9 * np.eye(len(scale)))

    def _ranks(self, values: Floats) -> Floats:
        """Of each value its share in the order, within 0 and 1; equal ones are drawn anywhere in theirs."""
        shuffled = self.rng.permutation(len(values))
        order = shuffled[np.argsort(values[shuffled], kind="stable")]
        ranks = np.empty(len(values))
        ranks[order] = (np.arange(len(values)) + 0.5) / len(values)
        return ranks

    def _state(self) -> State:
        return {"values": self.values, "roots": self.roots}

    def _restore(self, train: DataSet, state: State) -> None:
        self._open(train)
        self.values, self.roots = state["values"], state["roots"]

    def _sample(self, label: int, count: int) -> Rows:
        values, root = self.values[str(label)], self.roots[str(label)]
        shares = ndtr(self.rng.normal(size=(count, len(root))) @ root.T)
        columns = [
            _code(own, share) if count_of else np.quantile(own, share)
            for own, share, count_of in zip(values.T, shares.T, self.encoder.categories, strict=True)
        ]
        return self.encoder.examples(np.stack(columns, axis=1).astype(np.float32), self.train)


def _code(ordered: Floats, share: Floats) -> Floats:
    """The codes at shares of ordered ones: one that was there."""
    return ordered[np.minimum((share * len(ordered)).astype(np.int64), len(ordered) - 1)]
