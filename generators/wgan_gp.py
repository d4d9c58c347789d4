"""Wasserstein GAN with gradient penalty (Gulrajani et al. 2017, https://arxiv.org/abs/1704.00028)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import torch
from pydantic import Field
from torch import nn

from .adversarial import AdversarialGenerator
from .base import register
from .networks import adversaries


@register("wgan-gp")
class WganGp(AdversarialGenerator):
    """Wasserstein GAN with gradient penalty, one for each rare class (Gulrajani 2017)"""

    kinds: ClassVar[tuple[str, ...]] = ("images", "tables")
    betas = (0.0, 0.9)

    @dataclass(frozen=True)
    class Config(AdversarialGenerator.Config):
        """`steps` counts the generator's; the critic makes `critic_steps` for each."""

        steps: Annotated[int, Field(gt=0)] = 350
        critic_steps: Annotated[int, Field(gt=0)] = 2
        gradient_penalty: Annotated[float, Field(ge=0)] = 10.0

    def _networks(self, shape: Any, classes: int) -> tuple[nn.Module, nn.Module]:
        # The penalty is on each example's own gradient, so the critic has no batch norm to mix them.
        return adversaries(self._input_size(shape), shape, self._encoder.last_layer())

    def _critic_steps(self) -> int:
        return self.config.critic_steps

    def _discriminator_loss(
        self, discriminator: nn.Module, real: torch.Tensor, fake: torch.Tensor, labels: torch.Tensor
    ) -> torch.Tensor:
        real_score, fake_score = discriminator(torch.cat([real, fake]), labels.repeat(2)).chunk(2)
        share = torch.rand(len(real), *[1] * (real.ndim - 1), device=real.device)
        between = torch.lerp(real, fake, share).requires_grad_()
        (slope,) = torch.autograd.grad(discriminator(between, labels).sum(), between, create_graph=True)
        penalty = (slope.flatten(1).norm(dim=1) - 1).square().mean()
        return (fake_score - real_score).mean() + self.config.gradient_penalty * penalty

    def _generator_loss(self, discriminator: nn.Module, fake: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        return -discriminator(fake, labels).mean()
