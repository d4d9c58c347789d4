"""Features of images, by which they are alike: a pretrained model's where its weights are here, else coarse pixels."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch.nn import functional as F

SIDE = 16  # pixels a side of a square at which images are compared, at most: noise of a pixel averages out
DINO = "vit_small_patch14_dinov2.lvd142m"  # Oquab et al. 2023; sees natural images better than a small classifier
DINO_NAME = "DINOv2 (ViT-S/14)"
DINO_SIDE = 98
Features = Callable[[torch.Tensor], torch.Tensor]


def pooled(images: torch.Tensor) -> torch.Tensor:
    """(N, C, H, W) uint8 as float32 with SIDE x SIDE pixels at most, in their own proportions."""
    scale = min(1.0, SIDE / math.sqrt(math.prod(images.shape[2:])))
    size = [max(1, round(side * scale)) for side in images.shape[2:]]
    parts = [
        F.interpolate(part.float(), size, mode="area") if scale < 1 else part.float() for part in images.split(256)
    ]
    return torch.cat(parts) if parts else images.float()


def unit_rows(images: torch.Tensor) -> torch.Tensor:
    """(N, C, H, W) as rows of zero mean and unit length, whose product is the correlation of two images.

    So brightness and contrast do not hide a copy. An image of one colour becomes zeros, alike to nothing.
    """
    rows = images.flatten(1)
    return F.normalize(rows - rows.mean(1, keepdim=True))


def dino_is_here() -> bool:
    """Whether DINOv2's weights lie in the hub's cache: they are never fetched for the sake of features."""
    from huggingface_hub import try_to_load_from_cache

    return isinstance(try_to_load_from_cache(f"timm/{DINO}", "model.safetensors"), str)


def dino_on(device: torch.device) -> Features:
    """DINOv2 on the device: (N, H, W, 3) uint8 to (N, D)."""
    import timm

    model: Any = timm.create_model(DINO, pretrained=True, num_classes=0, img_size=DINO_SIDE).to(device).eval()
    known = model.pretrained_cfg
    mean, std = (torch.tensor(known[name], device=device)[:, None, None] * 255 for name in ("mean", "std"))

    def features(images: torch.Tensor) -> torch.Tensor:
        pixels = (images.permute(0, 3, 1, 2).float() - mean) / std
        return model(F.interpolate(pixels, (DINO_SIDE, DINO_SIDE), mode="bilinear", align_corners=False))

    return features
