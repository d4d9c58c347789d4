"""Wasserstein GAN with gradient penalty (Gulrajani et al. 2017, https://arxiv.org/abs/1704.00028)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import torch
from pydantic import Field
from torch import nn

from .adversarial import AdversarialGenerator
from .base import register
from .networks import ConvDiscriminator, ConvGenerator, Shape


@register("wgan-gp")
class WganGp(AdversarialGenerator):
    """Convolutional Wasserstein GAN with gradient penalty, one for each rare class (Gulrajani 2017)"""

    betas = (0.0, 0.9)

    @dataclass(frozen=True)
    class Config(AdversarialGenerator.Config):
        """`steps` counts the generator's; the critic makes `critic_steps` for each."""

        steps: Annotated[int, Field(gt=0)] = 350
        critic_steps: Annotated[int, Field(gt=0)] = 2
        gradient_penalty: Annotated[float, Field(ge=0)] = 10.0

    def _networks(self, shape: Shape, classes: int) -> tuple[nn.Module, nn.Module]:
        # The penalty is on each image's own gradient, so the critic has no batch norm to mix them.
        return ConvGenerator(self.config.latent_dim, shape), ConvDiscriminator(shape, batch_norm=False)

    def _critic_steps(self) -> int:
        return self.config.critic_steps

    def _discriminator_loss(
        self, discriminator: nn.Module, real: torch.Tensor, fake: torch.Tensor, labels: torch.Tensor
    ) -> torch.Tensor:
        real_score, fake_score = discriminator(torch.cat([real, fake]), labels.repeat(2)).chunk(2)
        between = torch.lerp(real, fake, torch.rand(len(real), 1, 1, 1, device=real.device)).requires_grad_()
        (slope,) = torch.autograd.grad(discriminator(between, labels).sum(), between, create_graph=True)
        penalty = (slope.flatten(1).norm(dim=1) - 1).square().mean()
        return (fake_score - real_score).mean() + self.config.gradient_penalty * penalty

    def _generator_loss(self, discriminator: nn.Module, fake: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        return -discriminator(fake, labels).mean()
