"""Image files and array files to read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image


def save(path: Path, **changes) -> Path:
    """A valid npz file of two classes, with `changes`; None drops a key."""
    arrays = {
        "train_images": np.arange(12 * 16, dtype=np.uint8).reshape(12, 4, 4),
        "train_labels": np.repeat([0, 1], [8, 4])[:, None],
        "test_images": np.arange(200, 200 + 4 * 4, dtype=np.uint8).repeat(4).reshape(4, 4, 4),
        "test_labels": np.array([0, 0, 1, 1])[:, None],
    }
    np.savez(path, **{key: value for key, value in {**arrays, **changes}.items() if value is not None})
    return path


def picture(path: Path, size=(6, 5), mode="L", value=0, **options) -> Path:
    """A picture of noise that `value` tells from others, width x height."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(value).integers(0, 256, (*size[::-1], 3), dtype=np.uint8)
    Image.fromarray(pixels).convert(mode).save(path, **options)
    return path


def folder(root: Path, classes=("ant", "bee"), count=8, start=0, **options) -> Path:
    """A folder of `count` different pictures for each class."""
    for label, name in enumerate(classes):
        for k in range(count):
            picture(root / name / f"{k}.png", value=start + 100 * label + k, **options)
    return root
