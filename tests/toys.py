"""Images to learn from that need no file."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from fillbench.datasets.base import ImageSet, Traits


def toy(shape=(8, 8, 1), counts=(12, 6, 5), names=None, **traits) -> ImageSet:
    """Random images, each class around a brightness of its own."""
    labels = np.repeat(np.arange(len(counts)), counts)
    noise = np.random.default_rng(0).integers(0, 60, (len(labels), *shape))
    images = (noise + 60 * labels[:, None, None, None]).astype(np.uint8)
    names = names or tuple(f"class {i}" for i in range(len(counts)))
    return ImageSet(images, labels.astype(np.int64), names, Traits(**traits))


class KilledError(Exception):
    """Stands for a kill."""


def killed_at(at: int) -> Callable[[int, int], None]:
    """A generator's `progress` that ends it once `at` is done."""

    def progress(done: int, total: int) -> None:
        if done >= at:
            raise KilledError

    return progress
