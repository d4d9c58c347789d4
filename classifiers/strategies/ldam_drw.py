"""Kaidi Cao et al., Learning Imbalanced Datasets with Label-Distribution-Aware Margin Loss, NeurIPS 2019."""

from __future__ import annotations

import torch
from torch.nn import functional as F

from ..cosine import SCALE
from .base import Strategy, register
from .weights import class_weights

MARGIN, DEFERRED = 0.5, 0.8


@register("ldam-drw")
class LdamDrw(Strategy):
    """Larger margins for rare classes, deferred re-weighting (Cao 2019)."""

    cosine = True

    def loss(self, logits: torch.Tensor, targets: torch.Tensor, counts: torch.Tensor, done: float) -> torch.Tensor:
        """The right logit is held back by its class's margin; classes are weighted when most steps are done."""
        margins = counts**-0.25
        margins = margins * (MARGIN / margins.max())
        loss = F.cross_entropy(logits - SCALE * margins * F.one_hot(targets, len(counts)), targets, reduction="none")
        return (class_weights(counts)[targets] * loss).mean() if done >= DEFERRED else loss.mean()
