"""Between the images of a data set and those of a pretrained model, which has a size and colours of its own."""

from __future__ import annotations

import torch
from torch.nn import functional as F

from ..datasets.base import Images
from .encoders.images import GREY


def enlarged(images: Images, size: tuple[int, int], device: torch.device) -> torch.Tensor:
    """(B, h, w, C) uint8 in the model's size and colours, (B, 3, H, W) float32 in 0..1."""
    pixels = torch.from_numpy(images).to(device).permute(0, 3, 1, 2).float().div(255)
    return F.interpolate(pixels, size, mode="bicubic", antialias=True).clamp(0, 1).expand(-1, 3, -1, -1)


def reduced(images: torch.Tensor, shape: tuple[int, ...]) -> torch.Tensor:
    """(B, 3, H, W) in 0..1 in the data's size and colours, `shape` (h, w, C): (B, C, h, w) float32."""
    height, width, channels = shape
    pixels = images.float()
    if channels == 1:
        pixels = (pixels * torch.tensor(GREY, device=images.device)[:, None, None]).sum(1, keepdim=True)
    return F.interpolate(pixels, (height, width), mode="bicubic", antialias=True)
