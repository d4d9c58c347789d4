"""A data set with a rare class and a judge of it: what audits are tried on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

from fillbench.benchmark.audits import audit, auditor_of
from fillbench.benchmark.audits.flags import raised
from fillbench.benchmark.audits.judge import make_judge, read_judge
from fillbench.classifiers.images import Config
from fillbench.datasets import DataSet, Split
from fillbench.datasets.imbalance import step_targets, thin
from fillbench.generators.base import load

CPU = torch.device("cpu")


class Bench:
    """`split` with the class `label` cut to `keep` examples, and a judge of them."""

    def __init__(self, folder: Path, split: Split, label: int, keep: int = 5, config=None) -> None:
        self.split, self.label, kind = split, label, split.train.traits.kind
        make_judge(config or Config(model="resnet10t", steps=60, batch_size=64), split, [label], CPU, folder)
        self.judge = read_judge(folder, kind, split.train.shape, CPU)
        self.auditor = auditor_of(kind).of(split.train)
        self.keep(keep)

    def keep(self, count: int, seed: int = 0) -> Bench:
        """Another draw of the kept images."""
        train = self.split.train
        self.kept = thin(train.labels, step_targets(train.counts(), [self.label], count), seed)
        return self

    def audit(self, images, looks: int = 1):
        """What is found of the images; `flags` and `cannot_tell` as one of `looks`."""
        made = replace(self.split.train, x=np.ascontiguousarray(images), labels=np.full(len(images), self.label))
        (found,) = audit(made, self.split, self.kept, self.auditor, self.judge)["classes"].values()
        flags, untold = raised(found, self.auditor, looks)
        return {**found, "flags": flags, "cannot_tell": untold}

    def made(self, generator: str, count: int, seed: int = 0) -> np.ndarray:
        """What a generator makes of the kept images."""
        fitted = load(generator)(seed=seed)
        fitted.fit(self.split.train.take(self.kept), {self.label: count})
        return fitted.sample(self.label, count)

    def drawn(self, data: DataSet, count: int, seed: int = 0) -> np.ndarray:
        """Images of the class out of some, with replacement."""
        images = data.of_class(self.label)
        return images[np.random.default_rng(seed).integers(0, len(images), count)]

    def others(self, count: int, seed: int = 0) -> np.ndarray:
        """Training images of other classes."""
        images = self.split.train.x[self.split.train.labels != self.label]
        return images[np.random.default_rng(seed).integers(0, len(images), count)]


def noisy(images: np.ndarray, reach: int, seed: int = 0) -> np.ndarray:
    """The images under uniform noise."""
    noise = np.random.default_rng(seed).integers(-reach, reach + 1, images.shape)
    return (images + noise).clip(0, 255).astype(np.uint8)


def bent(images: np.ndarray, degrees: float, move: float, bend: float = 0.0, seed: int = 0) -> np.ndarray:
    """The images turned by up to `degrees`, moved by up to `move` and bent by about `bend` of their side."""
    draw = np.random.default_rng(seed)
    pixels = torch.from_numpy(images).permute(0, 3, 1, 2).float()
    angle = torch.from_numpy(np.radians(draw.uniform(-degrees, degrees, len(images)))).float()
    rows = [torch.stack([angle.cos(), -angle.sin()], 1), torch.stack([angle.sin(), angle.cos()], 1)]
    shift = torch.from_numpy(draw.uniform(-2 * move, 2 * move, (len(images), 2, 1))).float()
    grid = F.affine_grid(torch.cat([torch.stack(rows, 1), shift], 2), list(pixels.shape), align_corners=False)
    field = torch.from_numpy(draw.normal(0, 2 * bend, (len(images), 2, 4, 4))).float()
    field = F.interpolate(field, pixels.shape[2:], mode="bicubic", align_corners=True).permute(0, 2, 3, 1)
    warped = F.grid_sample(pixels, grid + field, mode="bicubic", padding_mode="border", align_corners=False)
    return warped.round().clamp(0, 255).byte().permute(0, 2, 3, 1).numpy()
