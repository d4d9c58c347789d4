"""SMOTE-driven GANs: the generator starts from interpolated real examples, not from noise.

SMOTE: Chawla et al. 2002, https://arxiv.org/abs/1106.1813; Borderline-SMOTE: Han et al. 2005; ADASYN: He et al. 2008.
As a GAN's input: SMOTified-GAN, Sharma et al. 2022, https://arxiv.org/abs/2108.03235.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field

from ..datasets.base import DataSet
from .adversarial import AdversarialGenerator
from .base import register
from .gan import Gan
from .oversample import require
from .part import Part
from .state import State
from .wgan_gp import WganGp


@dataclass(frozen=True)
class Interpolator:
    """SMOTE over one class: `rows` (N, P), its encoded examples, and the `neighbours` (N, k) of each.

    `weights` (N,): how often each is started from; None: all alike.
    """

    rows: torch.Tensor
    neighbours: torch.Tensor
    weights: torch.Tensor | None = None

    @classmethod
    def of(cls, encoded: torch.Tensor, k: int, weights: torch.Tensor | None = None) -> Interpolator:
        """From encoded examples (N, …), N > 1; k is cut to N - 1."""
        from sklearn.neighbors import NearestNeighbors

        rows = encoded.flatten(1)
        table = rows.cpu().numpy()
        # Asked without points, scikit-learn leaves each row out of its own neighbours.
        neighbours = NearestNeighbors(n_neighbors=min(k, len(table) - 1)).fit(table).kneighbors(return_distance=False)
        return cls(rows, torch.from_numpy(neighbours).to(rows.device), weights)

    def draw(self, count: int) -> torch.Tensor:
        """Points between a random row and a random one of its neighbours, (count, P)."""
        size, device = self.neighbours.shape, self.rows.device
        if self.weights is None:
            start = torch.randint(size[0], (count,), device=device)
        else:
            start = torch.multinomial(self.weights, count, replacement=True)
        end = self.neighbours[start, torch.randint(size[1], (count,), device=device)]
        return torch.lerp(self.rows[start], self.rows[end], torch.rand(count, 1, device=device))


def near_others(rows: NDArray[np.float32], own: NDArray[np.bool_], k: int) -> NDArray[np.int64]:
    """How many of the `k` nearest of each of the `own` rows (N,) of all `rows` (M, P) are of other classes, (N,).

    ADASYN starts from a row as often.
    """
    from sklearn.neighbors import NearestNeighbors

    near = NearestNeighbors(n_neighbors=k + 1).fit(rows).kneighbors(rows[own], return_distance=False)
    return (~own[near[:, 1:]]).sum(1)  # the first is the row itself


def near_border(rows: NDArray[np.float32], own: NDArray[np.bool_], k: int) -> NDArray[np.bool_]:
    """Whether half or more of the nearest of each of the `own` rows are of other classes, but not all of them, (N,).

    Of the nearest ten, or of more until there is such a row. Borderline-SMOTE starts from these.
    """
    most, found = len(rows) - 1, np.zeros(int(own.sum()), bool)
    for m in (min(10 * 2**step, most) for step in range(most.bit_length())):
        others = near_others(rows, own, m)
        found = (2 * others >= m) & (others < m)
        if found.any():
            break
    return found


class FromSmote(AdversarialGenerator):
    """A GAN of one class that starts from points between kept examples and their neighbours in place of noise."""

    keeps_examples = True

    @dataclass(frozen=True)
    class Config:
        """As for `gan`, but with the `neighbours` of SMOTE, or of the variant `smote`, and no noise."""

        steps: Annotated[int, Field(gt=0)] = 1500
        batch_size: Annotated[int, Field(gt=1)] = 32
        lr: Annotated[float, Field(gt=0)] = 1e-3
        ema: Annotated[float, Field(ge=0, lt=1)] = 0.99
        diffaugment: bool = True
        neighbours: Annotated[int, Field(gt=0)] = 5
        smote: Literal["smote", "borderline-smote", "adasyn"] = "smote"

    def _parts(self, train: DataSet, labels: tuple[int, ...]) -> list[Part]:
        require(2, train, labels, f"{self.name} goes between")
        parts = super()._parts(train, labels)
        self._smote = {part.labels[0]: self._interpolator(part, train) for part in parts}
        return parts

    def _interpolator(self, part: Part, train: DataSet) -> Interpolator:
        neighbours = self.config.neighbours
        if self.config.smote == "smote":
            return Interpolator.of(part.encoded, neighbours)
        rows = self._encoder.encode(train.x, torch.device("cpu")).flatten(1).numpy()
        near = near_border if self.config.smote == "borderline-smote" else near_others
        found = near(rows, train.labels == part.labels[0], min(neighbours, len(rows) - 1))
        weights = torch.from_numpy(found.astype(np.float32)).to(self.device) if found.any() else None
        return Interpolator.of(part.encoded, neighbours, weights)

    def _restore(self, train: DataSet, state: State) -> None:
        super()._restore(train, state)
        self._parts(train, tuple(self._averages))

    def _input_size(self, shape: tuple[int, ...]) -> int:
        return math.prod(shape)

    def _inputs(self, label: int, count: int) -> torch.Tensor:
        return self._smote[label].draw(count)


@register("smote-gan")
class SmoteGan(FromSmote, Gan):  # type: ignore[misc]  # its settings are FromSmote's
    """Fully connected GAN that starts from SMOTE's examples in place of noise (Sharma 2022)"""


@register("smote-wgan-gp")
class SmoteWganGp(FromSmote, WganGp):
    """Wasserstein GAN with gradient penalty that starts from SMOTE's rows in place of noise (Sharma 2022)"""

    kinds = ("tables",)

    @dataclass(frozen=True)
    class Config(FromSmote.Config):
        """As for `smote-gan` and `wgan-gp`."""

        steps: Annotated[int, Field(gt=0)] = 350
        critic_steps: Annotated[int, Field(gt=0)] = 2
        gradient_penalty: Annotated[float, Field(ge=0)] = 10.0
