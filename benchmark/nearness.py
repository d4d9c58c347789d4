"""How near images are to others, in pixels and in features: what copies and leaks are found by.

An image counts as taken from a set when it is nearer to one of its images than 95 % of real images that are not in the
set are to theirs. Near is measured by how near to that image real ones come: there is more room around some images than
around others. By its definition about 5 % of honest images are counted too.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch.nn import functional as F

SIDE = 16  # pixels a side at which images are compared, at most: noise of a pixel averages out
USUAL = 0.05
FEWEST = 20  # real images that a limit is taken from


def pooled(images: torch.Tensor) -> torch.Tensor:
    """(N, C, H, W) uint8 as float32 with sides of SIDE pixels at most."""
    scale = min(1.0, SIDE / max(images.shape[2:]))
    size = [max(1, round(side * scale)) for side in images.shape[2:]]
    parts = [
        F.interpolate(part.float(), size, mode="area") if scale < 1 else part.float() for part in images.split(256)
    ]
    return torch.cat(parts) if parts else images.float()


def variants(images: torch.Tensor) -> Iterator[torch.Tensor]:
    """(N, C, H, W), mirrored, turned by quarters, and each of these moved by a pixel every way: 72 versions, or 36."""
    turned = [images, images.flip(-1), images.flip(-2), images.flip(-1, -2)]
    height, width = images.shape[2:]
    if height == width:
        turned += [image.transpose(-1, -2) for image in turned]
    for image in turned:
        padded = F.pad(image, (1, 1, 1, 1), mode="replicate")
        for row in range(3):
            for column in range(3):
                yield padded[:, :, row : row + height, column : column + width]


def _rows(images: torch.Tensor) -> torch.Tensor:
    """(N, C, H, W) as rows of zero mean and unit length, whose product is the correlation of two images.

    So brightness and contrast do not hide a copy. An image of one colour becomes zeros, alike to nothing.
    """
    rows = images.flatten(1)
    return F.normalize(rows - rows.mean(1, keepdim=True))


def pixel_distances(queries: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """(N, M) from pooled images (N, C, H, W), (M, C, H, W): by correlation, the nearest of the query's variants."""
    rows = _rows(targets)
    best = torch.full((len(queries), len(targets)), -1.0, device=targets.device)
    for version in variants(queries):
        best = torch.maximum(best, _rows(version) @ rows.T)
    return _distance(best)


def feature_distances(queries: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """(N, M) from features (N, D), (M, D): by their cosine."""
    return _distance(F.normalize(queries) @ F.normalize(targets).T)


def _distance(cosine: torch.Tensor) -> torch.Tensor:
    return (2 - 2 * cosine).clamp_min(1e-8).sqrt()


def taken(made: torch.Tensor, real: torch.Tensor) -> torch.Tensor | None:
    """Which images (N,) are taken from M targets, by their distances (N, M), and those of real images (R, M).

    The real ones are not among the targets. None when they are too few to set a limit.
    """
    if len(real) < FEWEST or not real.shape[1]:
        return None
    nearest, second = real.topk(2, dim=0, largest=False).values
    room = nearest.clamp_min(1e-3)  # a real image that is the same as a target leaves a little
    # A real image must not be its own yardstick.
    rooms = torch.where(real <= nearest, second.clamp_min(1e-3), room)
    usual = (real / rooms).min(1).values
    return (made / room).min(1).values < torch.quantile(usual, USUAL)


def nearer(one: torch.Tensor, other: torch.Tensor) -> float | None:
    """The share of images that are nearer to one set than to another, by distances (N, A), (N, B).

    Out of the larger set as many targets are taken as the other has. About 0.5 if neither set was seen.
    """
    size = min(one.shape[1], other.shape[1])
    if size < FEWEST or len(one) < FEWEST:
        return None
    first, second = (
        distances[:, torch.linspace(0, distances.shape[1] - 1, size).long()].min(1).values for distances in (one, other)
    )
    return float(((first < second).float() + (first <= second).float()).mean() / 2)
