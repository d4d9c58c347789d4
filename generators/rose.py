"""Giovanna Menardi and Nicola Torelli, Training and assessing classification rules with imbalanced data, Data Mining
and Knowledge Discovery 2014: the smoothed bootstrap."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from pydantic import Field

from ..datasets.base import DataSet
from ..datasets.tables import Rows
from .base import Generator, register
from .encoders import fitted
from .oversample import repeated, require
from .state import State


@register("rose")
class Rose(Generator):
    """Kept rows with noise in their numbers: a smoothed bootstrap (Menardi & Torelli 2014)."""

    kinds = ("tables",)
    keeps_examples = True

    @dataclass(frozen=True)
    class Config:
        """`shrink`: of the noise that would suit a normal distribution."""

        shrink: Annotated[float, Field(gt=0)] = 1.0

    def _fit(self, train: DataSet, labels: tuple[int, ...]) -> None:
        require(2, train, labels, f"{self.name} takes the spread of")
        self._prepare(train)

    def _prepare(self, train: DataSet) -> None:
        self.train = train
        self.encoder = fitted(train)
        self.rows = self.encoder.rows(train.x)
        self.numbers = np.array(self.encoder.categories) == 0

    def _state(self) -> State:
        return {}  # all of it is in the kept rows

    def _restore(self, train: DataSet, state: State) -> None:
        self._prepare(train)

    def _sample(self, label: int, count: int) -> Rows:
        own = self.rows[self.train.labels == label]
        size = int(self.numbers.sum())
        width = (4 / ((size + 2) * len(own))) ** (1 / (size + 4))  # Silverman's, in standard deviations
        made = own[repeated(np.arange(len(own)), count, self.rng)]
        noise = self.rng.normal(size=(count, size)) * own[:, self.numbers].std(0, ddof=1)
        made[:, self.numbers] += self.config.shrink * width * noise
        return self.encoder.examples(made, self.train)
