"""Tables: what their columns hold, and what makes an array one of rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .base import Array, DataSet, Traits, register

Rows = NDArray[np.float32]


@dataclass(frozen=True)
class Column:
    """What a column holds: numbers (`categories` None; `whole`: only whole ones), or one of `categories` by its index.

    `missing`: whether a value may be missing, which is NaN.
    """

    name: str
    categories: tuple[str, ...] | None = None
    whole: bool = False
    missing: bool = False


@register("tables")
@dataclass(frozen=True)
class TableTraits(Traits):
    """(N, F) float32, a column each; NaN is a missing value."""

    noun = "row"
    plural = "rows"

    columns: tuple[Column, ...] = ()

    @property
    def categorical(self) -> NDArray[np.bool_]:
        """Which columns hold categories, (F,)."""
        return np.array([column.categories is not None for column in self.columns], bool)

    @property
    def may_repeat(self) -> bool:
        """Where no column holds fractions."""
        return all(column.categories is not None or column.whole for column in self.columns)

    def described(self) -> dict[str, Any]:
        """The columns, with their categories, and whether values may be missing."""
        return {
            "columns": [
                {
                    "name": column.name,
                    "categories": None if column.categories is None else list(column.categories),
                    "missing": column.missing,
                }
                for column in self.columns
            ]
        }

    def complaint(self, x: object, like: Array) -> str | None:
        """Says so of what is no float32 array of rows that these columns can hold."""
        if not isinstance(x, np.ndarray):
            return f"a {type(x).__name__}, not a NumPy array"
        if x.dtype != np.float32:
            return f"{x.dtype} values, not float32"
        if x.ndim != 2 or x.shape[1] != len(self.columns):
            return f"the shape {x.shape}, not {(*x.shape[:1], len(self.columns))}"
        if len(spots := np.flatnonzero(np.isinf(x).any(0))):
            return f"infinity in column '{self.columns[spots[0]].name}'"
        for column, values in zip(self.columns, x.T, strict=True):
            if reason := _wrong(column, values):
                return f"{reason} in column '{column.name}'"
        return None

    def nearest(self, values: Array) -> Rows:
        """Whole numbers rounded, codes rounded and clipped to those that there are."""
        rows = np.array(values, np.float32)
        for spot, column in enumerate(self.columns):
            if column.categories is not None:
                rows[:, spot] = rows[:, spot].round().clip(0, len(column.categories) - 1)
            elif column.whole:
                rows[:, spot] = rows[:, spot].round()
        return rows + 0.0  # -0.0 would be another row to the last bit

    @classmethod
    def toys(cls) -> dict[str, DataSet]:
        """Numbers; numbers and categories with missing values; categories only; with a class of two."""
        return {
            "rows of numbers": toy((24, 8, 6), categories=0),
            "rows of numbers and categories, some missing": toy((24, 8, 6), categories=2, missing=True),
            "rows of categories": toy((24, 8, 6), numbers=0, categories=3),
            "a class of two rows": toy((24, 2, 6)),
        }


def _wrong(column: Column, values: Rows) -> str | None:
    """What of a column's values it cannot hold."""
    there = values[~np.isnan(values)]
    if len(there) < len(values) and not column.missing:
        return "missing values (NaN)"
    if column.categories is not None:
        unknown = there[~np.isin(there, np.arange(len(column.categories)))]
        return f"the code {unknown[0]:g} of no category" if len(unknown) else None
    return "numbers that are not whole" if column.whole and (there != there.round()).any() else None


def toy(
    counts: Sequence[int] = (24, 8, 6), numbers: int = 3, categories: int = 1, missing: bool = False, seed: int = 0
) -> DataSet:
    """Rows of three overlapping classes: `numbers` columns, the last of whole numbers, then `categories` columns."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(len(counts)), counts).astype(np.int64)
    values = rng.normal(size=(len(labels), numbers)) + np.eye(len(counts), numbers)[labels] * 2
    codes = (labels[:, None] + rng.integers(0, 2, (len(labels), categories))) % 3
    columns = [Column(f"number {spot}", None, spot == numbers - 1, missing) for spot in range(numbers)]
    columns += [Column(f"sort {spot}", ("low", "mid", "high"), False, missing) for spot in range(categories)]
    if numbers:
        values[:, -1] = (values[:, -1] * 10).round()
    x = np.concatenate([values, codes], axis=1).astype(np.float32)
    if missing:
        x[rng.random(x.shape) < 0.1] = np.nan
    return DataSet(x, labels, tuple(f"class {k}" for k in range(len(counts))), TableTraits(tuple(columns)))
