"""Hongyi Zhang et al., mixup: Beyond Empirical Risk Minimization, ICLR 2018."""

from __future__ import annotations

import torch

from .base import Strategy, register


@register("mixup")
class Mixup(Strategy):
    """Weighted means of two images and labels (Zhang 2018)."""

    def mix(self, images: torch.Tensor, labels: torch.Tensor, classes: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Every image with another of the batch, all by one weight."""
        from torchvision.transforms import v2

        return v2.MixUp(num_classes=classes)(images.float(), labels)
