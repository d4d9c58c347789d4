"""How synthetic images compare with real ones: pixels, spread, and distances between distributions of features.

No figure is given under the sample size that it needs: None.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torchmetrics.image.fid import FrechetInceptionDistance
from torchmetrics.image.kid import KernelInceptionDistance

from ..compute import seeded
from ..datasets.base import Images

MOST = 2000  # images that neighbours are looked for in
NEIGHBOURS = 5  # Naeem et al. 2020
FEWEST = 40  # images on either side, for KID and for neighbours
SUBSETS = 100
Z = 1.96


def describe(images: Images) -> dict[str, float]:
    """Mean, standard deviation and range of the pixels, in 0..255."""
    return {
        "mean": float(images.mean()),
        "std": float(images.std()),
        "min": int(images.min()),
        "max": int(images.max()),
    }


def spread(made: torch.Tensor, real: torch.Tensor) -> tuple[float | None, float | None]:
    """`diversity`, the ratio of the mean distances between two images, and `distinct`, that of the median distances to
    the nearest other image, made over real: (N, C, H, W) each, of equally many.

    The one shows that all images are alike, the other that they are repetitions of a few. None with fewer than two.
    """
    size = min(len(made), len(real), MOST)
    if size < 2:
        return None, None
    ways = []
    for images in (made, real):
        rows = images[:size].flatten(1).float()
        distances = torch.cdist(rows, rows)
        mean = float(distances.sum()) / (size * (size - 1))
        ways.append((mean, float(distances.fill_diagonal_(torch.inf).min(1).values.median())))
    return tuple(one / other if other else None for one, other in zip(*ways, strict=True))  # type: ignore[return-value]


class _Given(nn.Identity):
    """Stands where torchmetrics wants a network: the features are there already."""

    def __init__(self, num_features: int) -> None:
        super().__init__()
        self.num_features = num_features


def kid(made: torch.Tensor, real: torch.Tensor) -> dict[str, float | None]:
    """Kernel Inception distance (Binkowski 2018) of features (N, D), (M, D), and its 95 % interval.

    The interval is by subsampling: the deviation over random halves, scaled to the whole.
    """
    whole = min(len(made), len(real))
    if whole < FEWEST:
        return {"kid": None, "kid_low": None, "kid_high": None}
    half = min(1000, whole // 2)
    metric = KernelInceptionDistance(_Given(made.shape[1]), subsets=SUBSETS, subset_size=half).to(made.device)
    metric.update(real, real=True)
    metric.update(made, real=False)
    with seeded(0):
        mean, deviation = (float(value) for value in metric.compute())
    reach = Z * deviation * (half / whole) ** 0.5
    return {"kid": mean, "kid_low": mean - reach, "kid_high": mean + reach}


def fid(made: torch.Tensor, real: torch.Tensor) -> float | None:
    """Fréchet Inception distance (Heusel 2017) of features (N, D), (M, D): each needs more images than dimensions."""
    dimensions = made.shape[1]
    if min(len(made), len(real)) <= dimensions:
        return None
    metric = FrechetInceptionDistance(_Given(dimensions)).to(made.device)
    metric.update(real, real=True)
    metric.update(made, real=False)
    return float(metric.compute())


def neighbourhood(made: torch.Tensor, real: torch.Tensor) -> dict[str, float | None]:
    """Precision and recall (Kynkäänniemi 2019), density and coverage (Naeem 2020) of features (N, D), (M, D)."""
    made, real = made[:MOST], real[:MOST]
    if min(len(made), len(real)) < FEWEST:
        return dict.fromkeys(("precision", "recall", "density", "coverage"))
    across = torch.cdist(real, made)
    reach_real, reach_made = (
        torch.cdist(rows, rows).kthvalue(NEIGHBOURS + 1, dim=1).values for rows in (real, made)
    )  # the first is the image itself
    inside = across < reach_real[:, None]
    found = {
        "precision": inside.any(0),
        "recall": (across < reach_made).any(1),
        "density": inside.sum(0) / NEIGHBOURS,
        "coverage": across.min(1).values < reach_real,
    }
    return {name: float(values.float().mean()) for name, values in found.items()}


def pixels_off(made: dict[str, float], real: dict[str, float]) -> list[str]:
    """What of mean, spread and range (as `describe` gives them) is far from the real ones, in words."""
    reach = real["max"] - real["min"]
    ends = max(abs(made["min"] - real["min"]), abs(made["max"] - real["max"]))
    found: dict[str, Any] = {
        "mean far off": abs(made["mean"] - real["mean"]) > 0.5 * real["std"],
        "spread far off": not 0.5 * real["std"] <= made["std"] <= 2 * real["std"],
        "range far off": ends > 0.25 * reach,
    }
    return [words for words, off in found.items() if off]
