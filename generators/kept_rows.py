"""What makes new examples from the kept ones as rows, so that there is nothing to store but these."""

from __future__ import annotations

from typing import ClassVar

from ..datasets.base import DataSet
from .base import Generator
from .encoders import fitted
from .oversample import require
from .state import State


class KeptRows(Generator):
    """Has `train`, its `encoder`, and `rows` (N, M) of it; of a class to be filled there are two or more."""

    keeps_examples = True
    does: ClassVar[str]
    """What it does with the kept examples, for a message: "goes between"."""

    def _fit(self, train: DataSet, labels: tuple[int, ...]) -> None:
        require(2, train, labels, f"{self.name} {self.does}")
        self._prepare(train)

    def _prepare(self, train: DataSet) -> None:
        self.train = train
        self.encoder = fitted(train)
        self.rows = self.encoder.rows(train.x)

    def _state(self) -> State:
        return {}  # all of it is in the kept examples

    def _restore(self, train: DataSet, state: State) -> None:
        self._prepare(train)
