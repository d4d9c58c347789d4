"""Small data and quick runs that many tests share."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings

# Two test processes on two cores: more threads only get in each other's way.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ["HF_HUB_OFFLINE"] = "1"  # no test asks the hub, and none ever fetches a model of gigabytes
settings.register_profile("any machine", deadline=None)  # a busy machine is no failure
settings.load_profile("any machine")


@pytest.fixture
def npz(tmp_path: Path) -> Path:
    """An npz file of three separable classes: 24, 20 and 6 train images of 8x8, and 10 test images of each."""
    rng = np.random.default_rng(0)

    def part(counts: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
        labels = np.repeat(np.arange(3), counts)
        images = rng.integers(0, 60, (len(labels), 8, 8))
        for image, label in zip(images, labels, strict=True):
            image[:, 2 * label : 2 * label + 3] += 120
        return images.astype(np.uint8), labels[:, None].astype(np.uint8)

    train, test = part((24, 20, 6)), part((10, 10, 10))
    path = tmp_path / "bars.npz"
    np.savez(
        path,
        train_images=train[0],
        train_labels=train[1],
        test_images=test[0],
        test_labels=test[1],
        class_names=np.array(["left", "middle", "right"]),
    )
    return path
