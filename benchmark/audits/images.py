"""The audit of images: nearness in pixels whatever the orientation and the light, and statistics of pixels."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import reduce
from itertools import chain
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F

from ...datasets.base import DataSet, Images
from ...generators.image_features import DINO_NAME, SIDE, dino_is_here, dino_on, pooled, unit_rows
from . import inception
from .base import Auditor, Entry, Eye, Figure, register
from .nearness import cosine_distance

TURNS = (-20, -10, -5, 5, 10, 20)  # degrees


@register("images")
@dataclass(frozen=True)
class ImageAuditor(Auditor):
    """Images are compared at low resolution, mirrored, turned by quarters and moved by a pixel."""

    space = "pixels"
    statistics = ("mean", "std", "min", "max", "texture")
    off_range = (
        "Mean more than half a standard deviation off, spread under half or over twice, an end of the range (of all "
        "but 1 % of the pixels) off by a quarter, neighbouring pixels far more or less alike"
    )

    alike = "In pixels an image is also compared mirrored, turned by quarters and moved by a pixel, at any brightness."
    loosely = "Images of 16 pixels a side or more are then also turned by 5, 10 and 20 degrees."

    colour: bool = False

    @classmethod
    def of(cls, train: DataSet) -> ImageAuditor:
        """Of images with colours more is told."""
        return cls(train.shape[2] == 3)

    @property
    def figures(self) -> tuple[Figure, ...]:  # type: ignore[override]
        """Those of Inception, which sees colours."""
        return inception.figures() if self.colour else ()

    @property
    def lacking(self) -> str:  # type: ignore[override]
        """Inception's weights, and what reads them."""
        return inception.lacking() if self.colour else ""

    def compare(self, made: Images, real: Images, kept: Images, test: Images, device: torch.device) -> Entry:
        """FID and kin as published, of images with colours."""
        return inception.as_published(made, real, device) if self.colour else {}

    def prepare(self, x: Images, device: torch.device) -> torch.Tensor:
        """(N, H, W, C) uint8 as (N, C, h, w) float32, see `pooled`."""
        return pooled(torch.from_numpy(np.ascontiguousarray(x)).to(device).permute(0, 3, 1, 2))

    def distances(self, queries: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """(N, M) by correlation, the nearest of the query's variants."""
        return pixel_distances(variants(queries), targets)

    def loose_distances(self, queries: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """The same, the query also turned by a few degrees."""
        return pixel_distances(chain(variants(queries), turned(queries)), targets)

    def describe(self, x: Images) -> dict[str, float]:
        """Of pixels in 0..255, see `describe`."""
        return describe(x)

    def off(self, made: dict[str, float], real: dict[str, float]) -> list[str]:
        """What of mean, spread, range and texture is far from the real ones."""
        return pixels_off(made, real)

    @classmethod
    def eye(cls, shape: tuple[int, ...]) -> tuple[str, Callable[[torch.device], Eye]] | None:
        """DINOv2 for colour images, if its weights lie in the hub's cache: they are never fetched for an audit."""
        return (DINO_NAME, dino_on) if shape[2] == 3 and dino_is_here() else None


def variants(images: torch.Tensor) -> Iterator[torch.Tensor]:
    """(N, C, H, W), mirrored, turned by quarters, and each of these moved by a pixel every way: 72 versions, or 36."""
    ways = [images, images.flip(-1), images.flip(-2), images.flip(-1, -2)]
    if images.shape[2] == images.shape[3]:
        ways += [image.transpose(-1, -2) for image in ways]
    for image in ways:
        yield from _moved(image)


def turned(images: torch.Tensor) -> Iterator[torch.Tensor]:
    """(N, C, H, W), turned by each of TURNS and then moved by a pixel every way: 54 versions.

    None of images of fewer pixels than SIDE x SIDE, which so small a turn makes others of.
    """
    height, width = images.shape[2:]
    if height * width < 0.9 * SIDE**2:  # sides are rounded
        return
    for degrees in TURNS:
        cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
        turn = torch.tensor([[cos, -sin * height / width, 0], [sin * width / height, cos, 0]], device=images.device)
        grid = F.affine_grid(turn[None], [1, *images.shape[1:]], align_corners=False).expand(len(images), -1, -1, -1)
        yield from _moved(F.grid_sample(images, grid, padding_mode="border", align_corners=False))


def _moved(images: torch.Tensor) -> Iterator[torch.Tensor]:
    """(N, C, H, W) moved by a pixel every way, and not at all: 9 versions."""
    height, width = images.shape[2:]
    padded = F.pad(images, (1, 1, 1, 1), mode="replicate")
    for row in range(3):
        for column in range(3):
            yield padded[:, :, row : row + height, column : column + width]


def pixel_distances(versions: Iterator[torch.Tensor], targets: torch.Tensor) -> torch.Tensor:
    """(N, M) from versions of pooled images, each (N, C, H, W), to others (M, C, H, W): the least, by correlation."""
    rows = unit_rows(targets)
    return cosine_distance(reduce(torch.maximum, (unit_rows(version) @ rows.T for version in versions)))


def describe(images: Images) -> dict[str, float]:
    """Of pixels in 0..255: mean, standard deviation, range, the range of all but 1 %, and the texture.

    `texture` is the mean difference of neighbouring pixels over the standard deviation: noise has much.
    """
    low, high = np.percentile(images, (0.5, 99.5))
    steps = [np.abs(np.diff(images.astype(np.int16), axis=axis)).mean() for axis in (1, 2) if images.shape[axis] > 1]
    std = float(images.std(dtype=np.float32))
    return {
        "mean": float(images.mean()),
        "std": std,
        "min": int(images.min()),
        "max": int(images.max()),
        "low": float(low),
        "high": float(high),
        "texture": float(np.mean(steps)) / std if steps and std else 0.0,
    }


def pixels_off(made: dict[str, float], real: dict[str, float]) -> list[str]:
    """What of mean, spread, range and texture (as `describe` gives them) is far from the real ones, in words."""
    reach = real["high"] - real["low"]
    ends = max(abs(made["low"] - real["low"]), abs(made["high"] - real["high"]))
    found: dict[str, Any] = {
        "mean far off": abs(made["mean"] - real["mean"]) > 0.5 * real["std"],
        "spread far off": not 0.5 * real["std"] <= made["std"] <= 2 * real["std"],
        "range far off": ends > 0.25 * reach,
        "texture far off": not real["texture"] / 2 <= made["texture"] <= 1.5 * real["texture"],
    }
    return [words for words, off in found.items() if off]
