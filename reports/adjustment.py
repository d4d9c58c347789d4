"""What a change of thresholds alone would give: probabilities adjusted for the classes' shares in training."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Counts = Sequence[int] | NDArray[np.int64]  # of the training examples of each class, (K,); none counts as one


def adjusted(probabilities: NDArray[np.float32], counts: Counts) -> NDArray[np.float32]:
    """Probabilities (…, K) after post-hoc logit adjustment with τ = 1 (Menon et al. 2021, "Long-tail learning via logit
    adjustment"): divided by the classes' shares, and made to add up to 1. No logits are needed for it."""
    weighted = probabilities / _shares(counts)
    return (weighted / weighted.sum(-1, keepdims=True)).astype(np.float32)


def shift_of(counts: Counts) -> NDArray[np.float32]:
    """(K,): what to take off the logits for the same."""
    return np.log(_shares(counts)).astype(np.float32)


def _shares(counts: Counts) -> NDArray[np.float64]:
    at_least_one = np.maximum(counts, 1)
    return at_least_one / at_least_one.sum()
