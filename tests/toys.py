"""Images to learn from that need no file."""

from __future__ import annotations

import numpy as np

from fillbench.datasets.base import ImageSet, Traits


def toy(shape=(8, 8, 1), counts=(12, 6, 5), names=None, **traits) -> ImageSet:
    """Random images, each class around a brightness of its own."""
    labels = np.repeat(np.arange(len(counts)), counts)
    noise = np.random.default_rng(0).integers(0, 60, (len(labels), *shape))
    images = (noise + 60 * labels[:, None, None, None]).astype(np.uint8)
    names = names or tuple(f"class {i}" for i in range(len(counts)))
    return ImageSet(images, labels.astype(np.int64), names, Traits(**traits))
