"""Conditional GAN (Mirza & Osindero 2014, https://arxiv.org/abs/1411.1784)."""

from __future__ import annotations

from torch import nn

from ..datasets.base import DataSet
from .adversarial import AdversarialGenerator
from .base import register
from .networks import ConvDiscriminator, ConvGenerator, Shape
from .part import Part


@register("cgan")
class Cgan(AdversarialGenerator):
    """One convolutional GAN that is told the class and learns from all of them (Mirza 2014)"""

    def _networks(self, shape: Shape, classes: int) -> tuple[nn.Module, nn.Module]:
        return (
            ConvGenerator(self.config.latent_dim, shape, classes),
            ConvDiscriminator(shape, classes, batch_norm=False),
        )

    def _parts(self, train: DataSet, labels: tuple[int, ...]) -> list[Part]:
        return [Part.of_all(train, labels, self._encoder, self.device)]
