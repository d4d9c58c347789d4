"""What chance would do: tails of three distributions, which scipy.stats takes a second to import for."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import bdtr, betaln


def _log_choose(of: int, some: NDArray[np.int64] | int) -> NDArray[np.float64]:
    return -np.log(of + 1) - betaln(of - some + 1, some + 1)


def at_least(hits: int, of: int, below: int, real: int) -> float:
    """The probability that `hits` or more `of` new examples lie under a limit that has `below` of `real` ones under it.

    The share under it is beta-distributed, so their number is beta-binomial.
    """
    counts, rest = np.arange(hits, of + 1), real - below + 1
    logs = _log_choose(of, counts) + betaln(counts + below, of - counts + rest) - betaln(below, rest)
    return float(np.exp(logs).sum())


def fewer(hits: int, of: int, other_hits: int, other_of: int) -> float:
    """One-sided p-value, by Fisher's exact test, of `hits` of `of` as no smaller a share than that of the others."""
    both = hits + other_hits
    counts = np.arange(max(0, both - other_of), hits + 1)
    logs = _log_choose(of, counts) + _log_choose(other_of, both - counts) - _log_choose(of + other_of, both)
    return float(np.exp(logs).sum())


def uneven(hits: int, of: int) -> float:
    """The two-sided p-value of a binomial test against a half."""
    return min(1.0, 2 * float(bdtr(min(hits, of - hits), of, 0.5)))
