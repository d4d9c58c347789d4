"""Conditional GAN (Mirza & Osindero 2014, https://arxiv.org/abs/1411.1784)."""

from __future__ import annotations

from typing import Any

from torch import nn

from ..datasets.base import DataSet
from .adversarial import AdversarialGenerator
from .base import register
from .networks import adversaries
from .part import Part


@register("cgan")
class Cgan(AdversarialGenerator):
    """One GAN that is told the class and learns from all of them (Mirza 2014)"""

    kinds = ("images", "tables")

    def _networks(self, shape: Any, classes: int) -> tuple[nn.Module, nn.Module]:
        return adversaries(self._input_size(shape), shape, self._encoder.last_layer(), classes)

    def _parts(self, train: DataSet, labels: tuple[int, ...]) -> list[Part]:
        return [Part.of_all(train, labels, self._encoder, self.device)]
