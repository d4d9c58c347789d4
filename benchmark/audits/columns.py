"""Synthetic rows against real ones, column by column: distances, values that no real row has, histograms."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...datasets.tables import Column, Rows, TableTraits
from .chance import fewer

Shares = NDArray[np.float64]
BINS = 12
SHOWN = 6  # columns with a histogram
BEYOND = 0.1  # share with a category that no real row has, above that of other real rows


def distances(made: Rows, real: Rows, traits: TableTraits) -> Shares:
    """(F,) in 0..1: of a column of numbers Kolmogorov and Smirnov's distance, of categories their total variation.

    A missing value lies beyond all numbers, and is one more category.
    """
    return np.array(
        [
            _smirnov(one, other) if column.categories is None else _variation(*_shares(column, one, other))
            for column, one, other in _columns(traits, made, real)
        ]
    )


def _columns(traits: TableTraits, *parts: Rows) -> Iterator[tuple[Column, Rows, Rows]]:
    return zip(traits.columns, *(part.T for part in parts), strict=True)


def _smirnov(one: Rows, other: Rows) -> float:
    values = np.concatenate([one, other])  # NaN is sorted behind all numbers
    below = [np.searchsorted(np.sort(part), values, side="right") / len(part) for part in (one, other)]
    return float(np.abs(below[0] - below[1]).max())


def _shares(column: Column, *parts: Rows) -> list[Shares]:
    """Of each category, the last of which is a missing value."""
    size = len(column.categories or ())
    return [np.bincount(np.nan_to_num(part, nan=size).astype(int), minlength=size + 1) / len(part) for part in parts]


def _variation(one: Shares, other: Shares) -> float:
    return float(np.abs(one - other).sum() / 2)


def outside(made: Rows, real: Rows, traits: TableTraits) -> NDArray[np.bool_]:
    """(N, F): which values are beyond the range of the real numbers, or a category that no real row has."""
    beyond = (made < np.fmin.reduce(real)) | (made > np.fmax.reduce(real))
    for spot in np.flatnonzero(traits.categorical):
        beyond[:, spot] = ~np.isin(made[:, spot], real[:, spot])  # NaN is in nothing
    return np.where(np.isnan(made), ~np.isnan(real).any(0), beyond)


def unseen(made: Rows, real: Rows, test: Rows, traits: TableTraits) -> dict[str, float | None]:
    """`unseen`: the largest share of a column of categories that is none of the real rows', above that of test rows;
    `unseen_p`: the p-value of Fisher's test of as large a share of test rows, for all columns. None without any."""
    if not traits.categorical.any() or not len(test):
        return {"unseen": None, "unseen_p": None}
    hits, others = (outside(part, real, traits)[:, traits.categorical].sum(0) for part in (made, test))
    above = hits / len(made) - others / len(test)
    worst = int(above.argmax())
    p = fewer(int(others[worst]), len(test), int(hits[worst]), len(made))
    return {"unseen": max(0.0, float(above[worst])), "unseen_p": min(1.0, p * len(above))}


def histograms(made: Rows, real: Rows, traits: TableTraits) -> list[dict[str, Any]]:
    """Of the SHOWN columns that differ most: the shares of both in BINS between the real minimum and maximum, values
    beyond them in the first and last; or in the most frequent categories."""
    differing = distances(made, real, traits)
    found: list[dict[str, Any]] = []
    for spot in np.argsort(-differing, kind="stable")[:SHOWN]:
        column, one, other = traits.columns[spot], made[:, spot], real[:, spot]
        ends, shares = _binned(one, other) if column.categories is None else _counted(column, one, other)
        in_made, in_real = (share.round(4).tolist() for share in shares)
        about = {"column": column.name, "distance": float(differing[spot]), "ends": ends}
        found.append({**about, "made": in_made, "real": in_real})
    return found


def _binned(made: Rows, real: Rows) -> tuple[list[Any], list[Shares]]:
    low, high = (float(np.nan_to_num(end)) for end in (np.fmin.reduce(real), np.fmax.reduce(real)))
    there = [part[~np.isnan(part)].astype(np.float64).clip(low, high) for part in (made, real)]
    counts = [np.histogram(part, BINS, (low, high))[0] for part in there]
    return [low, high], [counts[0] / len(made), counts[1] / len(real)]


def _counted(column: Column, made: Rows, real: Rows) -> tuple[list[Any], list[Shares]]:
    shares = _shares(column, made, real)
    most = np.argsort(-np.maximum(*shares), kind="stable")[: min(BINS, len(column.categories or ()) + column.missing)]
    names = [*(column.categories or ()), "missing"]
    return [names[most[0]], names[most[-1]]], [share[most] for share in shares]
