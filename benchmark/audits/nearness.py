"""How near examples are to others: what copies and leaks are found by.

An example counts as taken from a set when it is nearer to one of its examples than 95 % of real ones that are not in
the set are to theirs. Near is measured by how near to that example real ones come: there is more room around some
examples than around others. By its definition about 5 % of honest examples are counted too.
"""

from __future__ import annotations

import torch
from torch.nn import functional as F

USUAL = 0.05
FEWEST = 20  # real examples that a limit is taken from


def feature_distances(queries: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """(N, M) from features (N, D), (M, D): by their cosine."""
    return cosine_distance(F.normalize(queries) @ F.normalize(targets).T)


def cosine_distance(cosine: torch.Tensor) -> torch.Tensor:
    """The distance between vectors of unit length, by their product."""
    return (2 - 2 * cosine).clamp_min(1e-8).sqrt()


def taken(made: torch.Tensor, real: torch.Tensor) -> torch.Tensor | None:
    """Which examples (N,) are taken from M targets, by their distances (N, M), and those of real examples (R, M).

    The real ones are not among the targets. None when they are too few to set a limit.
    """
    if len(real) < FEWEST or not real.shape[1]:
        return None
    nearest, second = real.topk(2, dim=0, largest=False).values
    room = nearest.clamp_min(1e-3)  # a real example that is the same as a target leaves a little
    # A real example must not be its own yardstick.
    rooms = torch.where(real <= nearest, second.clamp_min(1e-3), room)
    usual = (real / rooms).min(1).values
    return (made / room).min(1).values < torch.quantile(usual, USUAL)


def nearer(one: torch.Tensor, other: torch.Tensor) -> float | None:
    """The share of examples that are nearer to one set than to another, by distances (N, A), (N, B).

    Out of the larger set as many targets are taken as the other has. About 0.5 if neither set was seen.
    """
    size = min(one.shape[1], other.shape[1])
    if size < FEWEST or len(one) < FEWEST:
        return None
    first, second = (
        distances[:, torch.linspace(0, distances.shape[1] - 1, size).long()].min(1).values for distances in (one, other)
    )
    return float(((first < second).float() + (first <= second).float()).mean() / 2)
