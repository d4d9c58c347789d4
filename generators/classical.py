"""Classical augmentation: every new image is a kept one, moved and recoloured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch

from ..datasets.base import DataSet, Images
from ..datasets.images import ImageTraits
from .base import Generator, register
from .oversample import repeated, require

SHARP = "bicubic"  # bilinear takes a sixth off the spread of 8x8 images, and a classifier learns to tell


def mild(traits: ImageTraits, shape: tuple[int, ...]) -> list[torch.nn.Module]:
    """Only what leaves an image of this domain in its class; a wide one is turned less, or its ends would leave it."""
    import kornia.augmentation as K

    turn = traits.rotate * min(shape[:2]) / max(shape[:2])
    move = (traits.shift, traits.shift)
    light = K.RandomBrightness((0.8, 1.2), clip_output=True, p=1.0)
    steps: list[torch.nn.Module] = [
        K.RandomAffine(turn, move, (0.9, 1.1), p=1.0, resample=SHARP),
        light,
    ]
    return [*steps, K.RandomHorizontalFlip(p=0.5)] if traits.flip else steps


def strong(traits: ImageTraits, shape: tuple[int, ...]) -> list[torch.nn.Module]:
    """The field's strong policy, whether it suits the domain or not (a 9 turned by 180 degrees is a 6)."""
    import kornia.augmentation as K

    steps: list[torch.nn.Module] = [
        K.RandomBrightness((0.5, 1.5), clip_output=True, p=1.0),
        K.RandomPerspective(0.2, p=1.0, resample=SHARP),
        K.RandomRotation((0.0, 180.0), p=1.0, resample=SHARP),
        K.RandomSolarize(thresholds=(0.5, 0.5), additions=(0.0, 0.0), p=0.5),
    ]
    return [K.RandomHue((-0.3, 0.3), p=1.0), *steps] if shape[2] == 3 else steps  # grey has no hue


@register("classical")
class Classical(Generator):
    """Kept images, shifted, turned, scaled, lit (and flipped where that is safe)."""

    keeps_examples = True

    @dataclass(frozen=True)
    class Config:
        """`policy`: mild keeps to what is safe for the data set, strong is the published recipe."""

        policy: Literal["mild", "strong"] = "mild"

    def _fit(self, train: DataSet, labels: tuple[int, ...]) -> None:
        require(1, train, labels, f"{self.name} changes")
        self.train = train

    def _sample(self, label: int, count: int) -> Images:
        policy = {"mild": mild, "strong": strong}[self.config.policy]
        augment = torch.nn.Sequential(*policy(self.train.traits, self.train.shape))
        source = repeated(np.flatnonzero(self.train.labels == label), count, self.rng)
        made = []
        for start in range(0, count, 1024):
            images = torch.from_numpy(self.train.x[source[start : start + 1024]]).to(self.device)
            pixels = augment(images.permute(0, 3, 1, 2).float() / 255)
            made.append((pixels.clamp(0, 1) * 255).round().to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy())
            self.progress(min(start + 1024, count), count)
        return np.concatenate(made)


@register("classical-strong")
class ClassicalStrong(Classical):
    """Kept images under the published strong recipe: colour, perspective, any rotation, solarize."""

    @dataclass(frozen=True)
    class Config(Classical.Config):
        """As `classical`, with the other default."""

        policy: Literal["mild", "strong"] = "strong"
