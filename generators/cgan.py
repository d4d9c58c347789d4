"""Conditional GAN (Mirza & Osindero 2014, https://arxiv.org/abs/1411.1784)."""

from __future__ import annotations

import numpy as np
from torch import nn

from ..errors import CannotFill
from .adversarial import AdversarialGenerator, Part
from .base import TrainSet, register
from .networks import ConvDiscriminator, ConvGenerator, Shape


@register("cgan")
class Cgan(AdversarialGenerator):
    """One convolutional GAN that is told the class and learns from all of them (Mirza 2014)"""

    def _networks(self, shape: Shape, classes: int) -> tuple[nn.Module, nn.Module]:
        return (
            ConvGenerator(self.config.latent_dim, shape, classes),
            ConvDiscriminator(shape, classes, batch_norm=False),
        )

    def _parts(self, train: TrainSet, labels: list[int]) -> list[Part]:
        kept = np.unique(train.labels).tolist()
        if lacking := sorted({train.class_names[label] for label in labels if label not in kept}):
            raise CannotFill(f"no images to learn from in class {', '.join(lacking)}")
        return [Part.of(train, kept, self.device)]
