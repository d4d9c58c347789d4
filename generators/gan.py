"""The first GAN (Goodfellow et al. 2014, https://arxiv.org/abs/1406.2661)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field
from torch import nn

from .adversarial import AdversarialGenerator
from .base import register
from .networks import DenseDiscriminator, DenseGenerator


@register("gan")
class Gan(AdversarialGenerator):
    """Fully connected GAN, one for each rare class (Goodfellow 2014)"""

    kinds = ("images", "tables")

    @dataclass(frozen=True)
    class Config(AdversarialGenerator.Config):
        """As for the others, but more steps, which are cheaper here."""

        steps: Annotated[int, Field(gt=0)] = 1500

    def _networks(self, shape: Any, classes: int) -> tuple[nn.Module, nn.Module]:
        made = DenseGenerator(self._input_size(shape), shape, self._encoder.last_layer())
        return made, DenseDiscriminator(shape)
