"""Random oversampling: the control that every other generator has to beat."""

from __future__ import annotations

import numpy as np

from ..datasets.base import DataSet, Images
from .base import Generator, register


@register("oversample")
class Oversample(Generator):
    """The kept images of the class again, each as often as the others."""

    def _fit(self, train: DataSet, deficits: dict[int, int]) -> None:
        self.train = train

    def _sample(self, label: int, count: int) -> Images:
        return self.train.x[repeated(np.flatnonzero(self.train.labels == label), count, self.rng)]


def repeated(indices: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """`count` of `indices`, none more than once oftener than another, in random order."""
    rounds = -(-count // len(indices))
    return np.concatenate([rng.permutation(indices) for _ in range(rounds)])[:count]
