"""The train-time augmentation that every arm shares, by batch on the device."""

from __future__ import annotations

import torch
from torch.nn import functional as F

from ..datasets.images import ImageTraits


def augment(images: torch.Tensor, traits: ImageTraits, generator: torch.Generator) -> torch.Tensor:
    """Shifts each image of (N, C, H, W) by its own whole pixels, and mirrors half of them where that is safe.

    The reach is a share of the height for rows and of the width for columns: a wide image keeps most of its content.
    """
    count, _, height, width = images.shape
    device = images.device
    down, right = (round(traits.shift * side) for side in (height, width))
    if down or right:
        rows, columns = (
            torch.randint(0, 2 * reach + 1, (count,), generator=generator).to(device)[:, None]
            + torch.arange(side, device=device)
            for side, reach in ((height, down), (width, right))
        )
        padded = F.pad(images, (right, right, down, down))
        each = torch.arange(count, device=device)[:, None, None]
        images = padded.permute(0, 2, 3, 1)[each, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)
    if traits.flip:
        mirrored = (torch.rand(count, generator=generator) < 0.5).to(device)
        images = torch.where(mirrored[:, None, None, None], images.flip(-1), images)
    return images
