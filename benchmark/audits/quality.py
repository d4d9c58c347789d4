"""How synthetic examples compare with real ones: spread, and distances between distributions of features.

No figure is given under the sample size that it needs: None.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from ...compute import seeded
from ...datasets.imbalance import Indices

MOST = 2000  # examples that neighbours are looked for in
NEIGHBOURS = 5  # Naeem et al. 2020
FEWEST = 40  # examples on either side, for KID and for neighbours
SUBSETS = 100
Z = 1.96
EXPLAINED = 0.8


def spaced(count: int, size: int) -> Indices:
    """`size` of `count` indices, evenly spaced: a floor of FID is one only at the same sample size."""
    return np.linspace(0, count - 1, size).round().astype(np.int64)


def spread(made: torch.Tensor, real: torch.Tensor) -> tuple[float | None, float | None]:
    """`diversity`, the ratio of the mean distances between two examples, and `distinct`, that of the median distances
    to the nearest other example, made over real: prepared, (N, …) each, as many of both.

    The one shows that all are alike, the other that they are repetitions of a few. Only directions in which
    real ones differ count (the principal components with 80 % of their variance), so noise makes no diversity.
    None with fewer than two.
    """
    size = min(len(made), len(real))
    if size < 2:
        return None, None
    rows = real.flatten(1)
    _, scales, directions = torch.linalg.svd(rows - rows.mean(0), full_matrices=False)
    explained = scales.square().cumsum(0) / scales.square().sum()
    directions = directions[: int((explained < EXPLAINED).sum()) + 1]
    ways = []
    for examples in (made, real):
        seen = examples[:size].flatten(1) @ directions.T
        distances = torch.cdist(seen, seen)
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
    from torchmetrics.image.kid import KernelInceptionDistance  # seconds to import

    half = min(1000, whole // 2)
    metric = KernelInceptionDistance(_Given(made.shape[1]), subsets=SUBSETS, subset_size=half).to(made.device)
    metric.update(real, real=True)
    metric.update(made, real=False)
    with seeded(0):
        mean, deviation = (float(value) for value in metric.compute())
    reach = Z * deviation * (half / whole) ** 0.5
    return {"kid": mean, "kid_low": mean - reach, "kid_high": mean + reach}


def fid(made: torch.Tensor, real: torch.Tensor) -> float | None:
    """Fréchet Inception distance (Heusel 2017) of features (N, D), (M, D): each needs more rows than dimensions."""
    dimensions = made.shape[1]
    if min(len(made), len(real)) <= dimensions:
        return None
    from torchmetrics.image.fid import FrechetInceptionDistance  # seconds to import

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
    )  # the first is the row itself
    inside = across < reach_real[:, None]
    found = {
        "precision": inside.any(0),
        "recall": (across < reach_made).any(1),
        "density": inside.sum(0) / NEIGHBOURS,
        "coverage": across.min(1).values < reach_real,
    }
    return {name: float(values.float().mean()) for name, values in found.items()}
