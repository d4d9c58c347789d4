"""Fewer rows of the common classes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...datasets.base import Labels
from .base import TableStrategy, Weights, in_fit, register


@register("undersample")
class Undersample(TableStrategy):
    """Of every class, as many rows as the smallest has."""

    cheap = True

    def fit(
        self, make: Callable[[], Any], x: Any, labels: Labels, seed: int, kept: int, weights: Weights = None
    ) -> Any:
        """On rows that imbalanced-learn draws."""
        from imblearn.under_sampling import RandomUnderSampler

        sampler = RandomUnderSampler(random_state=seed)
        fewer = sampler.fit_resample(x, labels)
        return make().fit(*fewer, **in_fit(None if weights is None else weights[sampler.sample_indices_]))
