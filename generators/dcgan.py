"""Deep convolutional GAN (Radford et al. 2016, https://arxiv.org/abs/1511.06434)."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from .adversarial import AdversarialGenerator
from .base import register
from .networks import ConvDiscriminator, ConvGenerator, Shape


@register("dcgan")
class Dcgan(AdversarialGenerator):
    """Convolutional GAN with batch normalisation, one for each rare class (Radford 2016)"""

    def _networks(self, shape: Shape, classes: int) -> tuple[nn.Module, nn.Module]:
        return ConvGenerator(self.config.latent_dim, shape), ConvDiscriminator(shape, batch_norm=True)

    def _discriminator_loss(
        self, discriminator: nn.Module, real: torch.Tensor, fake: torch.Tensor, labels: torch.Tensor
    ) -> torch.Tensor:
        # Apart, not in one batch: batch norm would tell each half about the other.
        return F.softplus(-discriminator(real, labels)).mean() + F.softplus(discriminator(fake, labels)).mean()
