"""Small colour pictures of shapes, as many as a test wants: no two are the same."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fillbench.datasets import DataSet, Split
from fillbench.datasets.images import ImageTraits

NAMES = ("disc", "square", "triangle", "cross", "ring")
SIDE = 16


def shapes(counts: Sequence[int], seed: int) -> DataSet:
    """A light shape on a dark ground, of any place, size and colours, turned a little: (N, 16, 16, 3) uint8."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(len(counts)), counts)
    y, x = np.mgrid[-1 : 1 : SIDE * 1j, -1 : 1 : SIDE * 1j]
    images = np.empty((len(labels), SIDE, SIDE, 3), np.uint8)
    for image, label in zip(images, labels, strict=True):
        (right, down), size, angle = rng.uniform(-0.3, 0.3, 2), rng.uniform(0.4, 0.7), rng.uniform(-0.4, 0.4)
        across = ((x - right) * np.cos(angle) + (y - down) * np.sin(angle)) / size
        along = ((y - down) * np.cos(angle) - (x - right) * np.sin(angle)) / size
        inside = (_depth(label, across, along) * size * SIDE / 3 + 0.5).clip(0, 1)[..., None]
        slope = x[..., None] * rng.uniform(-30, 30, 3) + y[..., None] * rng.uniform(-30, 30, 3)
        ground = rng.uniform(10, 90, 3) + slope
        image[:] = (ground * (1 - inside) + rng.uniform(120, 255, 3) * inside + rng.normal(0, 4, image.shape)).clip(
            0, 255
        )
    return DataSet(images, labels, NAMES, ImageTraits(flip=True))


def _depth(label: int, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """How far inside the outline a point lies; negative outside."""
    box, radius = np.maximum(abs(x), abs(y)), np.hypot(x, y)
    return (
        1 - radius,
        0.85 - box,
        np.minimum(0.6 - y, y + 1 - 1.8 * abs(x)),
        np.maximum(0.3 - abs(x), 0.3 - abs(y)) + 3 * np.minimum(0, 0.95 - box),
        0.3 - abs(radius - 0.7),
    )[label]


def split(train: int, test: int, seed: int = 0) -> Split:
    """As many of each shape."""
    return Split("shapes", shapes((train,) * len(NAMES), 10 * seed + 1), shapes((test,) * len(NAMES), 10 * seed + 2))
