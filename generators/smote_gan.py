"""SMOTE-driven GAN: the generator starts from interpolated real examples, not from noise.

SMOTE: Chawla et al. 2002, https://arxiv.org/abs/1106.1813.
As a GAN's input: SMOTified-GAN, Sharma et al. 2022, https://arxiv.org/abs/2108.03235.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated

import torch
from pydantic import Field
from torch import nn

from ..datasets.base import DataSet
from .adversarial import AdversarialGenerator
from .base import register
from .networks import DenseDiscriminator, DenseGenerator
from .oversample import require
from .part import Part
from .state import State


@dataclass(frozen=True)
class Interpolator:
    """SMOTE over one class: `rows` (N, P), its encoded examples, and the `neighbours` (N, k) of each."""

    rows: torch.Tensor
    neighbours: torch.Tensor

    @classmethod
    def of(cls, encoded: torch.Tensor, k: int) -> Interpolator:
        """From encoded examples (N, …), N > 1; k is cut to N - 1."""
        from sklearn.neighbors import NearestNeighbors

        rows = encoded.flatten(1)
        table = rows.cpu().numpy()
        # Asked without points, scikit-learn leaves each row out of its own neighbours.
        neighbours = NearestNeighbors(n_neighbors=min(k, len(table) - 1)).fit(table).kneighbors(return_distance=False)
        return cls(rows, torch.from_numpy(neighbours).to(rows.device))

    def draw(self, count: int) -> torch.Tensor:
        """Points between a random row and a random one of its neighbours, (count, P)."""
        size, device = self.neighbours.shape, self.rows.device
        start = torch.randint(size[0], (count,), device=device)
        end = self.neighbours[start, torch.randint(size[1], (count,), device=device)]
        return torch.lerp(self.rows[start], self.rows[end], torch.rand(count, 1, device=device))


@register("smote-gan")
class SmoteGan(AdversarialGenerator):
    """Fully connected GAN that starts from SMOTE's examples in place of noise (Sharma 2022)"""

    kinds = ("images", "tables")
    keeps_examples = True

    @dataclass(frozen=True)
    class Config:
        """As for `gan`, but with SMOTE's `neighbours` and no noise."""

        steps: Annotated[int, Field(gt=0)] = 1500
        batch_size: Annotated[int, Field(gt=1)] = 32
        lr: Annotated[float, Field(gt=0)] = 1e-3
        ema: Annotated[float, Field(ge=0, lt=1)] = 0.99
        diffaugment: bool = True
        neighbours: Annotated[int, Field(gt=0)] = 5

    def _parts(self, train: DataSet, labels: tuple[int, ...]) -> list[Part]:
        require(2, train, labels, f"{self.name} goes between")
        parts = super()._parts(train, labels)
        self._smote = {part.labels[0]: Interpolator.of(part.encoded, self.config.neighbours) for part in parts}
        return parts

    def _restore(self, train: DataSet, state: State) -> None:
        super()._restore(train, state)
        self._parts(train, tuple(self._averages))

    def _networks(self, shape: tuple[int, ...], classes: int) -> tuple[nn.Module, nn.Module]:
        made = DenseGenerator(math.prod(shape), shape, self._encoder.last_layer())
        return made, DenseDiscriminator(shape)

    def _inputs(self, label: int, count: int) -> torch.Tensor:
        return self._smote[label].draw(count)
