"""Sangdoo Yun et al., CutMix: Regularization Strategy to Train Strong Classifiers, ICCV 2019."""

from __future__ import annotations

import torch

from .base import Strategy, register


@register("cutmix")
class CutMix(Strategy):
    """A patch of another image, labels by its area (Yun 2019)."""

    def mix(self, images: torch.Tensor, labels: torch.Tensor, classes: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Every image with the same patch of another of the batch."""
        from torchvision.transforms import v2

        return v2.CutMix(num_classes=classes)(images.float(), labels)
