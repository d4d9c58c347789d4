"""The one way from uint8 images to what a network sees, and back."""

from __future__ import annotations

import numpy as np
import torch

from ...datasets.base import DataSet, Images
from ..diffaugment import diffaugment
from .base import Encoder, register

GREY = (0.299, 0.587, 0.114)  # shares of red, green, blue: ITU-R 601, as Pillow's "L"


@register("images")
class ImageEncoder(Encoder):
    """(N, H, W, C) uint8 to (N, C, H, W) float32 in [-1, 1], the range of tanh."""

    @classmethod
    def fit(cls, train: DataSet) -> ImageEncoder:
        """Images have one range, so there is nothing to learn."""
        return cls()

    def encode(self, x: Images, device: torch.device) -> torch.Tensor:
        """(N, H, W, C) uint8 to (N, C, H, W) float32 in [-1, 1]."""
        return torch.from_numpy(x).to(device).permute(0, 3, 1, 2).float().div(127.5).sub(1).contiguous()

    def augmented(self, encoded: torch.Tensor) -> torch.Tensor:
        """By DiffAugment."""
        return diffaugment(encoded)

    def decode(self, tensor: torch.Tensor) -> Images:
        """The inverse of `encode`; values outside [-1, 1] are clipped, never wrapped."""
        pixels = tensor.detach().float().add(1).mul(127.5).round().clamp(0, 255).to(torch.uint8)
        return np.ascontiguousarray(pixels.permute(0, 2, 3, 1).cpu().numpy())
