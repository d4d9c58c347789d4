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
from ..errors import CannotFill
from .base import Generator, register
from .oversample import repeated, require


@register("cutmix-minority")
class CutmixMinority(Generator):
    """A box of a kept image of the class, most of it, on an image of another class (Park 2022)"""

    keeps_examples = True

    @dataclass(frozen=True)
    class Config:
        """`least`: the box covers more than this share of an image, or it would be of the other class."""

        least: Annotated[float, Field(ge=0.5, lt=1)] = 0.5

    def _fit(self, train: DataSet, labels: tuple[int, ...]) -> None:
        require(1, train, labels, f"{self.name} pastes from")
        height, width = train.shape[:2]
        if 1 - 1 / max(height, width) <= self.config.least:
            raise CannotFill(
                f"{self.name}: of {height}x{width} pixels no box covers more than {self.config.least:g} but all of them"
            )
        self.train = train

    def _sample(self, label: int, count: int) -> Images:
        own = self.train.labels == label
        front = self.train.x[repeated(np.flatnonzero(own), count, self.rng)]
        if own.all():
            return front
        back = self.train.x[self.rng.choice(np.flatnonzero(~own), count)]
        height, width = self.train.shape[:2]
        share = self.config.least
        # The whole image is left out: as tall as the image only where a narrower box is large enough.
        tall = self.rng.integers(int(share * height) + 1, height + (1 - 1 / width > share), count)
        narrowest = (share * height * width / tall).astype(int) + 1
        wide = self.rng.integers(narrowest, width - (tall == height) + 1)
        rows, columns = self._within(tall, height), self._within(wide, width)
        return np.where((rows[:, :, None] & columns[:, None, :])[..., None], front, back)

    def _within(self, sizes: NDArray[np.int64], side: int) -> NDArray[np.bool_]:
        """Which of the places along a side lie in stretches of these sizes, wherever they are, (count, side)."""
        starts = self.rng.integers(0, side - sizes + 1)[:, None]
        places = np.arange(side)
        return (places >= starts) & (places < starts + sizes[:, None])
