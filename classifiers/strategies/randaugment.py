"""Ekin Cubuk et al., RandAugment: Practical Automated Data Augmentation with a Reduced Search Space, 2020."""

from __future__ import annotations

import torch

from .base import Strategy, register

GROUPS = 8  # of a batch: v2's transforms draw once for all that they are given


@register("randaugment")
class RandAugment(Strategy):
    """RandAugment on every batch (Cubuk 2020)."""

    def mix(self, images: torch.Tensor, labels: torch.Tensor, classes: int) -> tuple[torch.Tensor, torch.Tensor]:
        """The images under operations drawn for each eighth of them."""
        from torchvision.transforms import v2

        draw = v2.RandAugment()
        return torch.cat([draw(part) for part in images.chunk(GROUPS)]), labels
