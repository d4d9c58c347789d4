"""A look at synthetic images before any classifier time is spent: range, mean, spread, diversity."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..datasets.base import Images, ImageSet

PAIRS_FROM = 500
SHOWN = 12


def describe(images: Images) -> dict[str, float]:
    """Mean, standard deviation and range of the pixels, in 0..255."""
    return {
        "mean": float(images.mean()),
        "std": float(images.std()),
        "min": int(images.min()),
        "max": int(images.max()),
    }


def mean_distance(images: Images) -> float:
    """The mean Euclidean distance between two different images, of the first 500."""
    from scipy.spatial.distance import pdist

    return float(pdist(images[:PAIRS_FROM].reshape(len(images[:PAIRS_FROM]), -1).astype(np.float32)).mean())


def compare(kept: ImageSet, synthetic: ImageSet) -> dict[str, Any]:
    """Per filled class: pixel statistics of both, and `diversity`, the ratio of their mean distances."""
    found: dict[str, Any] = {}
    for label in np.unique(synthetic.labels):
        real, made = (data.images[data.labels == label] for data in (kept, synthetic))
        spread = mean_distance(real) if len(made) > 1 else 0.0
        diversity = mean_distance(made) / spread if spread else None
        found[str(label)] = {"real": describe(real), "synthetic": describe(made), "diversity": diversity}
    return found


def samples(kept: ImageSet, synthetic: ImageSet) -> dict[str, Images]:
    """A few kept and a few synthetic images of each filled class, for the report's grids."""
    grids = {}
    for label in np.unique(synthetic.labels):
        grids[f"real_{label}"] = kept.images[kept.labels == label][:SHOWN]
        grids[f"synthetic_{label}"] = synthetic.images[synthetic.labels == label][:SHOWN]
    return grids
