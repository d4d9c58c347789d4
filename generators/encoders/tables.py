"""The one way from rows of a table to what a network sees, and back."""

from __future__ import annotations

from typing import Self

import torch
from torch import nn

from ...datasets.base import DataSet
from ...datasets.coding import Coding
from ...datasets.tables import Rows
from .base import Encoder, register


class ColumnShares(nn.Module):
    """(N, D): softmax over the columns of each category, as many as `categories` has of it; 0 stands for a number."""

    def __init__(self, categories: tuple[int, ...]) -> None:
        super().__init__()
        self.categories = categories

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        parts = values.split([max(1, count) for count in self.categories], dim=1)
        return torch.cat(
            [part.softmax(1) if count else part for part, count in zip(parts, self.categories, strict=True)], dim=1
        )


@register("tables")
class TableEncoder(Encoder):
    """(N, F) float32 to (N, D): numbers of mean 0 and deviation 1, categories one-hot; see Coding."""

    def __init__(self, coding: Coding) -> None:
        self.coding = coding
        self.categories = coding.categories

    @classmethod
    def fit(cls, train: DataSet) -> Self:
        """By the kept rows."""
        return cls(Coding.fit(train))

    def encode(self, x: Rows, device: torch.device) -> torch.Tensor:
        """(N, F) to (N, D) float32."""
        return torch.from_numpy(self.coding.one_hot(x)).to(device)

    def decode(self, tensor: torch.Tensor) -> Rows:
        """The inverse of `encode`; of the categories, the one with the largest value."""
        return self.coding.from_one_hot(tensor.detach().float().cpu().numpy())

    def last_layer(self) -> nn.Module:
        """Numbers as they are, and shares of the categories of each column that has them."""
        return ColumnShares(self.categories)

    def rows(self, x: Rows) -> Rows:
        """(N, F) to (N, M): scaled numbers, and codes."""
        return self.coding.coded(x)

    def examples(self, rows: Rows, like: DataSet) -> Rows:
        """The inverse of `rows`."""
        return self.coding.decoded(rows)
