"""Rows for a network that takes numbers to be normal: each one's quantile among the kept ones, as a normal score."""

from __future__ import annotations

from typing import Self

import numpy as np
import torch

from ..datasets.base import DataSet
from ..datasets.coding import Coding
from ..datasets.tables import Rows
from .encoders.tables import TableEncoder

MOST = 1000  # quantiles; fewer than rows would leave the ends of a column far from normal


class NormalScores(TableEncoder):
    """(N, F) to (N, D) float32: first the `numbers` columns with normal scores, then one for each category.

    What lies beyond the kept numbers comes back as the outermost one.
    """

    def __init__(self, coding: Coding, train: DataSet) -> None:
        from sklearn.preprocessing import QuantileTransformer

        super().__init__(coding)
        counts = np.array(self.categories)
        is_number = np.repeat(counts == 0, counts.clip(1))
        self.numbers = int(is_number.sum())
        self._order = np.argsort(~is_number, kind="stable")
        quantiles = min(len(train), MOST)
        self._scores = QuantileTransformer(n_quantiles=quantiles, output_distribution="normal", subsample=None)
        if self.numbers:
            self._scores.fit(self._numbers(train.x))

    @classmethod
    def fit(cls, train: DataSet) -> Self:
        """By the kept rows."""
        return cls(Coding.fit(train), train)

    def _numbers(self, x: Rows) -> np.ndarray:
        return self.coding.one_hot(x)[:, self._order[: self.numbers]].astype(np.float64)

    def encode(self, x: Rows, device: torch.device) -> torch.Tensor:
        """(N, F) to (N, D) float32."""
        values = self.coding.one_hot(x)[:, self._order]
        if self.numbers:
            values[:, : self.numbers] = self._scores.transform(self._numbers(x))
        return torch.from_numpy(values).to(device)

    def decode(self, tensor: torch.Tensor) -> Rows:
        """The inverse of `encode`; of the categories, the one with the largest value."""
        values = tensor.detach().float().cpu().numpy().astype(np.float64)
        if self.numbers:
            values[:, : self.numbers] = self._scores.inverse_transform(values[:, : self.numbers])
        one_hot = np.empty(values.shape, np.float32)
        one_hot[:, self._order] = values
        return self.coding.from_one_hot(one_hot)
