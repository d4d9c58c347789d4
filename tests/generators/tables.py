"""Tables of which one knows what a generator should learn."""

from __future__ import annotations

import numpy as np

from fillbench.datasets.base import DataSet
from fillbench.datasets.tables import Column, TableTraits

MIDDLES = (6, 0)  # between the two modes of each class, which lie 2 below and above
SHARES = ((0.1, 0.1, 0.8), (0.7, 0.2, 0.1))  # of the categories, by class


def two_faced(counts: tuple[int, int] = (300, 60)) -> DataSet:
    """Two classes: column 0 has two modes of deviation 0.3, column 1 tells which, column 2 has categories."""
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1], counts)
    side = np.resize([-1, 1], len(labels))
    number = np.array(MIDDLES)[labels] + 2 * side + 0.3 * rng.normal(size=len(labels))
    beside = side + 0.3 * rng.normal(size=len(labels))
    codes = [
        rng.permutation(np.repeat(range(3), (np.array(shares) * count).astype(int)))
        for shares, count in zip(SHARES, counts, strict=True)
    ]
    x = np.stack([number, beside, np.concatenate(codes)], axis=1).astype(np.float32)
    columns = Column("number"), Column("beside"), Column("sort", ("low", "mid", "high"))
    return DataSet(x, labels, ("many", "few"), TableTraits(columns))


def check_modes_and_shares(generator) -> None:
    """That a generator fitted to these makes both modes and the shares of the class that is asked for."""
    for label, shares in enumerate(SHARES):
        made = generator.sample(label, 1000)
        side = made[:, 0] - MIDDLES[label]
        assert (np.abs(np.abs(side) - 2) < 0.75).mean() > 0.75  # of a normal distribution with their spread, a third
        assert 0.4 < (side > 0).mean() < 0.6
        assert np.corrcoef(side, made[:, 1])[0, 1] > 0.4
        np.testing.assert_allclose(np.bincount(made[:, 2].astype(int), minlength=3) / 1000, shares, atol=0.1)
