"""Rows of a table as numbers of one scale, and back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from .base import DataSet
from .tables import Rows, TableTraits

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Coding:
    """Numbers by mean and standard deviation; a missing one is the median, and a column beside it says so.

    Categories stay codes, or become one-hot; a missing one is one more. `mean`, `std`, `median` (F,) are of the values
    that are there; `categories` (M,) are how many each coded column has, 0 where it holds numbers.
    """

    traits: TableTraits
    mean: Floats
    std: Floats
    median: Floats
    categories: tuple[int, ...]

    @classmethod
    def fit(cls, train: DataSet) -> Self:
        """The coding of such rows as `train` has."""
        x = np.ma.masked_invalid(train.x.astype(np.float64))
        mean, std, median = (np.ma.filled(found, 0.0) for found in (x.mean(0), x.std(0), np.ma.median(x, axis=0)))
        categories: list[int] = []
        for column in train.traits.columns:
            if column.categories is not None:
                categories.append(len(column.categories) + column.missing)
            else:
                categories += [0, 2] if column.missing else [0]
        return cls(train.traits, mean, np.where(std > 0, std, 1.0), median, tuple(categories))

    def coded(self, x: Rows) -> Rows:
        """(N, F) as (N, M) float32: scaled numbers, and codes."""
        parts = []
        for spot, column in enumerate(self.traits.columns):
            values = x[:, spot].astype(np.float64)
            absent = np.isnan(values)
            if column.categories is not None:
                parts.append(np.where(absent, len(column.categories), values))
                continue
            parts.append((np.where(absent, self.median[spot], values) - self.mean[spot]) / self.std[spot])
            if column.missing:
                parts.append(absent.astype(np.float64))
        return np.stack(parts, axis=1).astype(np.float32)

    def decoded(self, coded: Rows) -> Rows:
        """The inverse of `coded`; values that no row has become those nearest to them."""
        parts, at = [], iter(coded.T.astype(np.float64))
        for spot, column in enumerate(self.traits.columns):
            values = next(at)
            if column.categories is not None:
                parts.append(np.where(values.round() >= len(column.categories), np.nan, values))
                continue
            values = values * self.std[spot] + self.mean[spot]
            parts.append(np.where(next(at) > 0.5, np.nan, values) if column.missing else values)
        return self.traits.nearest(np.stack(parts, axis=1))

    def owners(self) -> NDArray[np.int64]:
        """Which column of the rows each column of `one_hot` tells of, (D,)."""
        numbers = (column.categories is None and column.missing for column in self.traits.columns)
        coded = [spot for spot, has_flag in enumerate(numbers) for _ in range(1 + has_flag)]
        return np.repeat(coded, [max(1, count) for count in self.categories])

    def one_hot(self, x: Rows) -> Rows:
        """(N, F) as (N, D) float32: scaled numbers, and a column for each category."""
        coded, start = self.coded(x), 0
        values = np.zeros((len(x), sum(max(1, count) for count in self.categories)), np.float32)
        for count, column in zip(self.categories, coded.T, strict=True):
            if count:
                values[np.arange(len(x)), start + column.astype(np.int64)] = 1
            else:
                values[:, start] = column
            start += max(1, count)
        return values

    def from_one_hot(self, values: Rows) -> Rows:
        """The inverse of `one_hot`: of the categories, the one with the largest value."""
        parts, start = [], 0
        for count in self.categories:
            own = values[:, start : start + max(1, count)]
            parts.append(own.argmax(1) if count else own[:, 0])
            start += max(1, count)
        return self.decoded(np.stack(parts, axis=1).astype(np.float32))
