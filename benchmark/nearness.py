"""How near images are to others, in pixels and in features: what copies and leaks are found by.

An image counts as taken from a set when it is nearer to that set than 95 % of real images that are not in it. So about
5 % of honest images are counted too, however much alike the images of a class are.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch.nn import functional as F

SIDE = 16  # pixels a side at which images are compared, at most: noise of a pixel averages out
QUANTILE = 0.95
FEWEST = 20  # real images that a limit is taken from


def pixel_rows(images: torch.Tensor) -> torch.Tensor:
    """(N, C, H, W) uint8 as rows (N, D) of zero mean and unit length, whose product is the correlation of two images.

    So brightness and contrast do not hide a copy. An image of one colour becomes zeros, alike to nothing.
    """
    small, size = images.float(), _size(images)
    if size != tuple(images.shape[2:]):
        small = F.interpolate(small, size, mode="area")
    rows = small.flatten(1)
    return F.normalize(rows - rows.mean(1, keepdim=True))


def _size(images: torch.Tensor) -> tuple[int, int]:
    scale = min(1.0, SIDE / max(images.shape[2:]))
    height, width = (max(1, round(side * scale)) for side in images.shape[2:])
    return height, width


def variants(images: torch.Tensor) -> Iterator[torch.Tensor]:
    """(N, C, H, W), mirrored, turned by quarters, and each of these moved by a pixel every way: 72 versions."""
    turned = [images, images.flip(-1), images.flip(-2), images.flip(-1, -2)]
    if images.shape[-1] == images.shape[-2]:
        turned += [image.transpose(-1, -2) for image in turned]
    height, width = images.shape[2:]
    step = max(1, max(height, width) // SIDE)
    for image in turned:
        padded = F.pad(image.float(), (step,) * 4, mode="replicate")
        for row in (0, step, 2 * step):
            for column in (0, step, 2 * step):
                yield padded[:, :, row : row + height, column : column + width]


@dataclass(frozen=True)
class Nearest:
    """Of every query its largest similarity with a target (N,), and that target's index (N,)."""

    similarity: torch.Tensor
    index: torch.Tensor

    @classmethod
    def in_features(cls, queries: torch.Tensor, targets: torch.Tensor) -> Nearest:
        """By the cosine of features: (N, D), (M, D) with M > 0."""
        return cls(*(F.normalize(queries) @ F.normalize(targets).T).max(1))

    @classmethod
    def in_pixels(cls, queries: torch.Tensor, targets: torch.Tensor) -> Nearest:
        """By the correlation of images, over all variants of the query: (N, C, H, W), (M, C, H, W) uint8 with M > 0."""
        rows = pixel_rows(targets)
        best = torch.full((len(queries),), -2.0, device=queries.device)
        index = torch.zeros(len(queries), dtype=torch.int64, device=queries.device)
        for version in variants(queries):
            found = (pixel_rows(version) @ rows.T).max(1)
            index = torch.where(found.values > best, found.indices, index)
            best = torch.maximum(best, found.values)
        return cls(best, index)


def taken(synthetic: Nearest, real: Nearest, otherwise: Nearest | None = None) -> float | None:
    """The share of synthetic images that are nearer to the targets than `real` ones, which are not among them, are.

    `otherwise`: to what the generator may know; an image that is nearer to that is not taken from the targets.
    None when there are too few real images to set a limit.
    """
    if len(real.similarity) < FEWEST:
        return None
    near = synthetic.similarity > torch.quantile(real.similarity, QUANTILE)
    if otherwise is not None:
        near &= synthetic.similarity > otherwise.similarity + 1e-4
    return float(near.float().mean())
