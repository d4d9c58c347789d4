"""Training by sampling: rows are drawn by a category that they hold, rare ones oftener than they occur (Xu et al. 2019,
https://arxiv.org/abs/1907.00503, section 4.3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Conditions:
    """What rows are drawn by: one of the K categories of all columns together.

    `encoded`: the rows, (N, D). `places`: (K,) int64, where in them each category is one-hot. `chances`: (K,), of being
    drawn. `order`: rows by the category that they hold, column after column; `first`, `counts`: (K,), where in it those
    of each category lie.
    """

    encoded: torch.Tensor
    places: torch.Tensor
    chances: torch.Tensor
    order: torch.Tensor
    first: torch.Tensor
    counts: torch.Tensor

    @classmethod
    def of(cls, encoded: torch.Tensor, columns: Sequence[slice]) -> Conditions:
        """`columns`: where in the rows the categories of each column lie."""
        places = torch.cat([torch.arange(column.start, column.stop) for column in columns]).to(encoded.device)
        held = encoded[:, places]
        counts = held.sum(0).long()
        # Each column is as likely as another, and in it a category by the logarithm of its rows.
        logs = counts.float().log1p().split([column.stop - column.start for column in columns])
        chances = torch.cat([part / part.sum() for part in logs])
        return cls(encoded, places, chances, held.T.nonzero()[:, 1], counts.cumsum(0) - counts, counts)

    def draw(self, count: int) -> tuple[torch.Tensor, torch.Tensor]:
        """A random batch: categories (count,), and for each an encoded row that holds it, (count, D)."""
        drawn = self.chances.multinomial(count, replacement=True)
        row = torch.randint(2**31, (count,), device=drawn.device) % self.counts[drawn]
        return drawn, self.encoded[self.order[self.first[drawn] + row]]
