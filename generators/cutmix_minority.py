"""Context-rich minority oversampling (Park et al. 2022, https://arxiv.org/abs/2112.00412): rare images on others.

In the paper an image is as much of either class as its pixels are; here it is of the one that fills most of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from ..datasets.base import DataSet, Images
from .base import Generator, register
from .oversample import repeated, require


@register("cutmix-minority")
class CutmixMinority(Generator):
    """A box of a kept image of the class, most of it, on an image of another class (Park 2022)"""

    keeps_examples = True

    @dataclass(frozen=True)
    class Config:
        """`least`: the smallest share of an image that the box covers, over a half, or it is of the other class."""

        least: Annotated[float, Field(ge=0.5, lt=1)] = 0.5

    def _fit(self, train: DataSet, labels: tuple[int, ...]) -> None:
        require(1, train, labels, f"{self.name} pastes from")
        self.train = train

    def _sample(self, label: int, count: int) -> Images:
        own = self.train.labels == label
        front = self.train.x[repeated(np.flatnonzero(own), count, self.rng)]
        if own.all():
            return front
        back = self.train.x[self.rng.choice(np.flatnonzero(~own), count)]
        height, width = self.train.shape[:2]
        tall = self.rng.integers(int(np.ceil(self.config.least * height)), height + 1, count)
        least = np.ceil(self.config.least * height * width / tall).astype(int)
        wide = self.rng.integers(
            least, np.maximum(least, width - (tall == height)) + 1
        )  # never the whole, if it may be
        rows, columns = self._within(tall, height), self._within(wide, width)
        return np.where((rows[:, :, None] & columns[:, None, :])[..., None], front, back)

    def _within(self, sizes: NDArray[np.int64], side: int) -> NDArray[np.bool_]:
        """Which of the places along a side lie in stretches of these sizes, wherever they are, (count, side)."""
        starts = self.rng.integers(0, side - sizes + 1)[:, None]
        places = np.arange(side)
        return (places >= starts) & (places < starts + sizes[:, None])
