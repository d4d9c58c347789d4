"""What a diffusion model is shown and asked for, and how its answers become images.

Every objective asks for a direction between image and noise, so all share the network, its training and its guidance.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import cache
from typing import Any

import torch

TIMES = 1000  # the last of the times that a network is told
Pair = tuple[torch.Tensor, torch.Tensor]


class Objective(ABC):
    """Images (N, C, H, W) are about in [-1, 1]; times (N,) run from 0, the image, to TIMES, the noise."""

    @abstractmethod
    def times(self, count: int, device: torch.device) -> torch.Tensor:
        """(count,), drawn."""

    @abstractmethod
    def noised(
        self, clean: torch.Tensor, noise: torch.Tensor, times: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Noisy images, and what is to be guessed of them."""

    @abstractmethod
    def noise_per_guess(self, times: torch.Tensor) -> torch.Tensor:
        """(N,): the squared difference of the noises that two guesses stand for, over that of the guesses."""

    @abstractmethod
    def solver(self, steps: int, device: torch.device) -> Any:
        """One of diffusers' schedulers, set to so many steps."""


class Velocity(Objective):
    """Diffusion with the cosine schedule and the velocity as the target (Salimans & Ho 2022), by DPM-Solver++."""

    def times(self, count: int, device: torch.device) -> torch.Tensor:
        """Whole numbers."""
        return torch.randint(TIMES, (count,), device=device)

    def noised(
        self, clean: torch.Tensor, noise: torch.Tensor, times: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """As diffusers has it."""
        return _cosine().add_noise(clean, noise, times), _cosine().get_velocity(clean, noise, times)

    def noise_per_guess(self, times: torch.Tensor) -> torch.Tensor:
        """The share of the image's variance that is left."""
        return _cosine().alphas_cumprod.to(times.device)[times]

    def solver(self, steps: int, device: torch.device) -> Any:
        """DPM-Solver++ that keeps its guess of the clean image within [-1, 1]."""
        from diffusers import DPMSolverMultistepScheduler

        solver = DPMSolverMultistepScheduler.from_config(
            _cosine().config, thresholding=True, dynamic_thresholding_ratio=1.0, sample_max_value=1.0
        )
        solver.set_timesteps(steps, device=device)
        return solver


class Flow(Objective):
    """Flow matching along straight lines (Lipman et al. 2023, https://arxiv.org/abs/2210.02747), by Euler's method."""

    def times(self, count: int, device: torch.device) -> torch.Tensor:
        """Any numbers."""
        return TIMES * torch.rand(count, device=device)

    def noised(
        self, clean: torch.Tensor, noise: torch.Tensor, times: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """On the line between the two, and its direction."""
        share = (times / TIMES)[:, None, None, None]
        return (1 - share) * clean + share * noise, noise - clean

    def noise_per_guess(self, times: torch.Tensor) -> torch.Tensor:
        """The share of the line that is left to the noise, squared."""
        return (1 - times / TIMES).square()

    def solver(self, steps: int, device: torch.device) -> Any:
        """Equal steps."""
        from diffusers import FlowMatchEulerDiscreteScheduler

        solver = FlowMatchEulerDiscreteScheduler(num_train_timesteps=TIMES)
        solver.set_timesteps(steps, device=device)
        return solver


OBJECTIVES: dict[str, Objective] = {"velocity": Velocity(), "flow": Flow()}


@cache
def _cosine() -> Any:
    from diffusers import DDPMScheduler

    return DDPMScheduler(TIMES, beta_schedule="squaredcos_cap_v2", prediction_type="v_prediction")
