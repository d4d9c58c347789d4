"""The audit of tables: nearness in scaled columns, and each column's statistics."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import torch

from ...datasets.base import DataSet
from ...datasets.coding import Coding
from ...datasets.tables import Rows
from .base import Auditor, register

SHIFT = 2.0  # standard deviations that a column's mean may be off
SPREAD = 4.0  # how many times as wide or as narrow it may be
LEAST = 0.05  # a column that varies less within a class counts as one that varies so much


@register("tables")
@dataclass(frozen=True)
class TableAuditor(Auditor):
    """Rows are compared column by column: numbers in standard deviations, categories as the same or not."""

    coding: Coding

    space = "columns"
    statistics = ("mean", "std", "missing")
    off_range = (
        f"The mean of a column of numbers more than {SHIFT:g} standard deviations off, or its spread under a quarter "
        f"or over {SPREAD:g} times the real one"
    )
    alike = "Rows are compared in all columns at once: numbers in standard deviations, categories as the same or not."

    @classmethod
    def of(cls, train: DataSet) -> Self:
        """By the means and deviations of all real training rows."""
        return cls(Coding.fit(train))

    def prepare(self, x: Rows, device: torch.device) -> torch.Tensor:
        """(N, F) as (N, D) float32; two categories that differ are 1 apart."""
        scale = np.concatenate([np.full(max(1, count), 0.5**0.5 if count else 1) for count in self.coding.categories])
        return torch.from_numpy(self.coding.one_hot(x) * scale.astype(np.float32)).to(device)

    def distances(self, queries: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """(N, M), Euclidean."""
        return torch.cdist(queries, targets)

    def describe(self, x: Rows) -> dict[str, float]:
        """Mean and deviation of each scaled column, and over all of them; the share of missing values."""
        coded = self.coding.coded(x)
        found = {"mean": float(coded.mean()), "std": float(coded.std()), "missing": float(np.isnan(x).mean())}
        for name, values in self._numbers(coded):
            found |= {f"mean of {name}": float(values.mean()), f"std of {name}": float(values.std())}
        return found

    def _numbers(self, coded: Rows) -> list[tuple[str, Rows]]:
        """The scaled columns of numbers, by name."""
        names = [column.name for column in self.coding.traits.columns if column.categories is None]
        spots = [spot for spot, count in enumerate(self.coding.categories) if not count]
        return [(name, coded[:, spot]) for name, spot in zip(names, spots, strict=True)]

    def off(self, made: dict[str, float], real: dict[str, float]) -> list[str]:
        """Which columns' mean or spread is far from the real one."""
        found = []
        for column in self.coding.traits.columns:
            if column.categories is not None:
                continue
            spread, own = (max(found_of[f"std of {column.name}"], LEAST) for found_of in (real, made))
            if abs(made[f"mean of {column.name}"] - real[f"mean of {column.name}"]) > SHIFT * spread:
                found.append(f"mean of {column.name} far off")
            elif not spread / SPREAD <= own <= SPREAD * spread:
                found.append(f"spread of {column.name} far off")
        return found
