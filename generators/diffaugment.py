"""DiffAugment (Zhao et al. 2020, https://arxiv.org/abs/2006.10738).

The discriminator sees augmented images only: real and made ones pass the same kinds of random,
differentiable changes. So it cannot learn a handful of images by heart.
"""

from __future__ import annotations

import torch

SHIFT = 0.125  # of the side, either way
CUTOUT = 0.5  # of the side


def diffaugment(images: torch.Tensor) -> torch.Tensor:
    """Colour, translation and cutout, drawn anew for each image: (B, C, H, W) float to the same."""
    return cutout(translate(colour(images)))


def colour(images: torch.Tensor) -> torch.Tensor:
    """Random brightness, saturation and contrast, image by image."""
    brightness, saturation, contrast = torch.rand(3, len(images), 1, 1, 1, device=images.device).unbind()
    images = images + (brightness - 0.5)
    if images.shape[1] > 1:
        images = torch.lerp(images.mean(1, keepdim=True), images, saturation * 2)
    return torch.lerp(images.mean((1, 2, 3), keepdim=True), images, contrast + 0.5)


def translate(images: torch.Tensor) -> torch.Tensor:
    """Moves each image by up to an eighth of its side; what comes in at the edge is 0."""
    count, _, height, width = images.shape
    rows, columns = _grid(images)
    down, right = round(height * SHIFT), round(width * SHIFT)
    rows = rows + torch.randint(-down, down + 1, (count, 1, 1), device=images.device)
    columns = columns + torch.randint(-right, right + 1, (count, 1, 1), device=images.device)
    inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
    source = rows.clamp(0, height - 1) * width + columns.clamp(0, width - 1)
    moved = images.flatten(2).gather(2, source.flatten(1)[:, None].expand(-1, images.shape[1], -1))
    return moved.view_as(images) * inside[:, None]


def cutout(images: torch.Tensor) -> torch.Tensor:
    """Sets a rectangle of half of each side to 0, anywhere in each image, also across its edge."""
    count, _, height, width = images.shape
    rows, columns = _grid(images)
    tall, wide = round(height * CUTOUT), round(width * CUTOUT)
    top = torch.randint(-(tall // 2), height - tall // 2, (count, 1, 1), device=images.device)
    left = torch.randint(-(wide // 2), width - wide // 2, (count, 1, 1), device=images.device)
    hole = (rows >= top) & (rows < top + tall) & (columns >= left) & (columns < left + wide)
    return images * ~hole[:, None]


def _grid(images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    height, width = images.shape[2:]
    return (
        torch.arange(height, device=images.device)[None, :, None],
        torch.arange(width, device=images.device)[None, None, :],
    )
