"""The audit of images: nearness in pixels whatever the orientation and the light, and statistics of pixels."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import reduce
from itertools import chain
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from ...datasets.base import Images
from .base import Auditor, Eye, register
from .nearness import cosine_distance

SIDE = 16  # pixels a side of a square at which images are compared, at most: noise of a pixel averages out
TURNS = (-20, -10, -5, 5, 10, 20)  # degrees
DINO = "vit_small_patch14_dinov2.lvd142m"  # Oquab et al. 2023; sees natural images better than a small classifier
DINO_SIDE = 98


@register("images")
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
        return ("DINOv2 (ViT-S/14)", _dino_on) if shape[2] == 3 and dino_is_here() else None


def _dino_on(device: torch.device) -> Eye:
    model = dino().to(device).eval()
    return lambda images: model(images.permute(0, 3, 1, 2))


def pooled(images: torch.Tensor) -> torch.Tensor:
    """(N, C, H, W) uint8 as float32 with SIDE x SIDE pixels at most, in their own proportions."""
    scale = min(1.0, SIDE / math.sqrt(math.prod(images.shape[2:])))
    size = [max(1, round(side * scale)) for side in images.shape[2:]]
    parts = [
        F.interpolate(part.float(), size, mode="area") if scale < 1 else part.float() for part in images.split(256)
    ]
    return torch.cat(parts) if parts else images.float()


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


def _rows(images: torch.Tensor) -> torch.Tensor:
    """(N, C, H, W) as rows of zero mean and unit length, whose product is the correlation of two images.

    So brightness and contrast do not hide a copy. An image of one colour becomes zeros, alike to nothing.
    """
    rows = images.flatten(1)
    return F.normalize(rows - rows.mean(1, keepdim=True))


def pixel_distances(versions: Iterator[torch.Tensor], targets: torch.Tensor) -> torch.Tensor:
    """(N, M) from versions of pooled images, each (N, C, H, W), to others (M, C, H, W): the least, by correlation."""
    rows = _rows(targets)
    return cosine_distance(reduce(torch.maximum, (_rows(version) @ rows.T for version in versions)))


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


def dino_is_here() -> bool:
    """Whether DINOv2's weights lie in the hub's cache."""
    from huggingface_hub import try_to_load_from_cache

    return isinstance(try_to_load_from_cache(f"timm/{DINO}", "model.safetensors"), str)


def dino() -> nn.Module:
    """DINOv2 that takes uint8 images."""
    import timm

    from ...classifiers.model import Scaled

    model: Any = timm.create_model(DINO, pretrained=True, num_classes=0, img_size=DINO_SIDE)
    return Scaled(model, model.pretrained_cfg["mean"], model.pretrained_cfg["std"], (DINO_SIDE, DINO_SIDE))
