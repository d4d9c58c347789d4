"""Random oversampling: the control that every other generator has to beat."""

from __future__ import annotations

import numpy as np

from ..datasets.base import Array, DataSet
from .base import ANY, Generator, register


@register("oversample")
class Oversample(Generator):
    """The kept examples of the class again, each as often as the others."""

    kinds = ANY
    control = True
    keeps_examples = True

    def _fit(self, train: DataSet, labels: tuple[int, ...]) -> None:
        self.train = train

    def _sample(self, label: int, count: int) -> Array:
        return self.train.x[repeated(np.flatnonzero(self.train.labels == label), count, self.rng)]


def repeated(indices: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """`count` of `indices`, none more than once oftener than another, in random order."""
    rounds = -(-count // len(indices))
    return np.concatenate([rng.permutation(indices) for _ in range(rounds)])[:count]
