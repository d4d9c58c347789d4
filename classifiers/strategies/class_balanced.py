"""Yin Cui et al., Class-Balanced Loss Based on Effective Number of Samples, CVPR 2019."""

from __future__ import annotations

import torch
from torch.nn import functional as F

from .base import Strategy, register
from .weights import class_weights


@register("class-balanced")
class ClassBalanced(Strategy):
    """Loss weighted by the effective number of images (Cui 2019)."""

    cheap = True

    def loss(self, logits: torch.Tensor, targets: torch.Tensor, counts: torch.Tensor, done: float) -> torch.Tensor:
        """The mean of weighted losses; the weights are 1 on average over classes."""
        return (class_weights(counts)[targets] * F.cross_entropy(logits, targets, reduction="none")).mean()
