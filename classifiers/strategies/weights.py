"""How much an image of a class counts."""

from __future__ import annotations

import torch

BETA = 0.9999


def class_weights(counts: torch.Tensor) -> torch.Tensor:
    """Weights (K,) by the effective number of images (Cui et al. 2019), 1 on average."""
    weights = (1 - BETA) / (1 - BETA**counts)
    return weights / weights.mean()
