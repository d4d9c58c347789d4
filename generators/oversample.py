"""Random oversampling: the control that every other generator has to beat."""

from __future__ import annotations

import numpy as np

from ..datasets.base import Array, DataSet
from ..errors import CannotFill
from .base import ANY, Generator, register


@register("oversample")
class Oversample(Generator):
    """The kept examples of the class again, each as often as the others."""

    kinds = ANY
    control = True
    keeps_examples = True

    def _fit(self, train: DataSet, labels: tuple[int, ...]) -> None:
        require(1, train, labels, f"{self.name} repeats")
        self.train = train

    def _sample(self, label: int, count: int) -> Array:
        return self.train.x[repeated(np.flatnonzero(self.train.labels == label), count, self.rng)]


def require(least: int, train: DataSet, labels: tuple[int, ...], what: str) -> None:
    """Raises CannotFill when a class of `labels` has fewer than `least` examples; `what` says what needs them."""
    for label in labels:
        have = int((train.labels == label).sum())
        if have < least:
            found = f"{have} {train.traits.noun}" if have == 1 else f"{have or 'no'} {train.traits.plural}"
            raise CannotFill(f"class '{train.class_names[label]}' has {found}; {what} at least {least}")


def repeated(indices: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """`count` of `indices`, none more than once oftener than another, in random order."""
    rounds = -(-count // len(indices))
    return np.concatenate([rng.permutation(indices) for _ in range(rounds)])[:count]
