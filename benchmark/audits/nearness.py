"""How near examples are to others: what copies and leaks are found by.

An example counts as taken from a set when it is nearer to one of its examples than 95 % of real ones that are not in
the set are to theirs. Near is measured by how near to that example real ones come: there is more room around some
examples than around others. By its definition about 5 % of honest examples are counted too.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch.nn import functional as F

USUAL = 0.05
COPY = 0.35  # of the room around the target: light noise stays within it, a turn by 8 degrees does not
FEWEST = 20  # real examples that a limit is taken from


def feature_distances(queries: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """(N, M) from features (N, D), (M, D): by their cosine."""
    return cosine_distance(F.normalize(queries) @ F.normalize(targets).T)


def cosine_distance(cosine: torch.Tensor) -> torch.Tensor:
    """The distance between vectors of unit length, by their product."""
    return (2 - 2 * cosine).clamp_min(1e-8).sqrt()


@dataclass(frozen=True)
class Reach:
    """Of N examples: the least distance to a target (N,), in units of the room around it, and which target it is (N,).

    `limit`: 5 % of real examples come nearer than that, which are `below` of the `real` ones that it is learned from.
    """

    reach: torch.Tensor
    target: torch.Tensor
    limit: float
    below: int
    real: int


def reach(made: torch.Tensor, real: torch.Tensor) -> Reach | None:
    """How near examples come to M targets, by their distances (N, M), and those of real examples (R, M).

    The real ones are not among the targets. None when they are too few to set a limit.
    """
    if len(real) < FEWEST or not real.shape[1]:
        return None
    nearest, second = real.topk(2, dim=0, largest=False).values
    room = nearest.clamp_min(1e-3)  # a real example that is the same as a target leaves a little
    # A real example must not be its own yardstick.
    rooms = torch.where(real <= nearest, second.clamp_min(1e-3), room)
    usual = (real / rooms).min(1).values
    found = (made / room).min(1)
    limit = torch.quantile(usual, USUAL)
    return Reach(found.values, found.indices, float(limit), max(1, int((usual < limit).sum())), len(real))


def by_source(what: torch.Tensor, sources: torch.Tensor) -> list[float]:
    """The sum over distinct sources of the mean of `what` (N,) over the examples of a source, and their number.

    Examples of one source are no independent witnesses: they are one, that says what they say on average.
    """
    _, each = sources.unique(return_inverse=True)
    size = int(each.max()) + 1
    means = torch.bincount(each, what.double(), size) / torch.bincount(each, minlength=size)
    return [float(means.sum()), size]


def nearer(one: torch.Tensor, other: torch.Tensor) -> tuple[float, list[int]] | None:
    """The share of examples that are nearer to one set than to another, by distances (N, A), (N, B); and how many of
    the distinct nearest examples are of the one set, and their number.

    Out of the larger set as many targets are taken as the other has. If neither set was seen, each of the distinct
    nearest examples is as likely of the one as of the other, however many are near to it.
    """
    size = min(one.shape[1], other.shape[1])
    if size < FEWEST or len(one) < FEWEST:
        return None
    first, second = (
        distances[:, torch.linspace(0, distances.shape[1] - 1, size).long()].min(1) for distances in (one, other)
    )
    ties = (first.values < second.values).float() + (first.values <= second.values).float()
    closer = first.values < second.values
    ones, others = first.indices[closer].unique(), second.indices[~closer].unique()
    return float(ties.mean() / 2), [len(ones), len(ones) + len(others)]
