"""Tables of which one knows what a generator should learn."""

from __future__ import annotations

import numpy as np

from fillbench.datasets.base import DataSet
from fillbench.datasets.tables import Column, TableTraits


def two_faced(counts: tuple[int, int] = (300, 60)) -> DataSet:
    """Two classes of two modes each: column 0 lies around 6 - 2 and 6 + 2, or around -2 and 2, with deviation 0.3.

    Column 1 is the first one's sign, with noise. Categories have shares 0.1, 0.1, 0.8, or 0.7, 0.2, 0.1.
    """
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1], counts)
    sign = rng.permuted(np.resize([-1, 1], len(labels)))
    number = 6 * (labels == 0) + 2 * sign + 0.3 * rng.normal(size=len(labels))
    beside = sign + 0.3 * rng.normal(size=len(labels))
    codes = [
        np.repeat([0, 1, 2], (np.array(shares) * count).round().astype(int))
        for shares, count in zip(((0.1, 0.1, 0.8), (0.7, 0.2, 0.1)), counts, strict=True)
    ]
    sort = np.concatenate([rng.permuted(part) for part in codes])
    columns = (Column("number"), Column("beside"), Column("sort", ("low", "mid", "high")))
    return DataSet(
        np.stack([number, beside, sort], axis=1).astype(np.float32), labels, ("many", "few"), TableTraits(columns)
    )
