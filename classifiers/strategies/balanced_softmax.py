"""Jiawei Ren et al., Balanced Meta-Softmax for Long-Tailed Visual Recognition, NeurIPS 2020."""

from __future__ import annotations

import torch
from torch.nn import functional as F

from .base import Strategy, register


@register("balanced-softmax")
class BalancedSoftmax(Strategy):
    """Softmax that expects the training counts (Ren 2020)."""

    cheap = True

    def loss(self, logits: torch.Tensor, targets: torch.Tensor, counts: torch.Tensor, done: float) -> torch.Tensor:
        """Cross-entropy of logits plus the logarithm of the counts."""
        return F.cross_entropy(logits + counts.log(), targets)
