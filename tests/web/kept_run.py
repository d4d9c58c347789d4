"""A run of two arms with its models, as soon done as can be; and an image to classify."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image

import fillbench


def make_kept_run(path: Path) -> Path:
    """Its folder, called `mine`, in `path`."""
    settings = {"classifier.batch_size": 16, "classifier.stem_stride": 2, "dcgan.steps": 3, "dcgan.batch_size": 4}
    options = {"generators": "dcgan,smote", "controls": "none", "seeds": 1, "steps": 5, "workers": 1}
    where = {"keep_models": True, "device": "cpu", "cache": str(path / "cache"), "out": str(path / "mine")}
    fillbench.run(minority="8", set=settings, **options, **where)
    return path / "mine"


def png(shape=(40, 30, 3), mode=None) -> bytes:
    """An image of noise."""
    file = io.BytesIO()
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8))
    (image.convert(mode) if mode else image).save(file, "png")
    return file.getvalue()
