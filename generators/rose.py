"""Giovanna Menardi and Nicola Torelli, Training and assessing classification rules with imbalanced data, Data Mining
and Knowledge Discovery 2014: the smoothed bootstrap."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from pydantic import Field

from ..datasets.tables import Rows
from .base import register
from .kept_rows import KeptRows
from .oversample import repeated


@register("rose")
class Rose(KeptRows):
    """Kept rows with noise in their numbers: a smoothed bootstrap (Menardi & Torelli 2014)."""

    kinds = ("tables",)
    does = "takes the spread of"

    @dataclass(frozen=True)
    class Config:
        """`shrink`: of the noise that would suit a normal distribution."""

        shrink: Annotated[float, Field(gt=0)] = 1.0

    def _sample(self, label: int, count: int) -> Rows:
        own, numbers = self.rows[self.train.labels == label], np.array(self.encoder.categories) == 0
        size = int(numbers.sum())
        width = (4 / ((size + 2) * len(own))) ** (1 / (size + 4))  # Silverman's, in standard deviations
        made = own[repeated(np.arange(len(own)), count, self.rng)]
        noise = self.rng.normal(size=(count, size)) * own[:, numbers].std(0, ddof=1)
        made[:, numbers] += self.config.shrink * width * noise
        return self.encoder.examples(made, self.train)
