"""Akim Kotelnikov et al., TabDDPM: Modelling Tabular Data with Diffusion Models, ICML 2023,
https://arxiv.org/abs/2209.15421: Gaussian diffusion of numbers and multinomial diffusion of categories by one network.

Otherwise than there, batches draw each class equally often, since a rare one is to be learned, and numbers have the
velocity as the target (Salimans & Ho 2022, https://arxiv.org/abs/2202.00512): in the noisiest times, an error in the
noise would be many times that error in the number.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import torch
from pydantic import Field
from torch import nn
from torch.nn import functional as F
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from ..datasets.base import DataSet
from ..datasets.tables import Rows
from .base import Generator, register
from .batches import in_batches
from .checkpoint import Checkpoint, identity
from .multinomial import Multinomial
from .normal_scores import NormalScores
from .part import Part
from .resume import steps_to_do
from .state import State

SAMPLE_BATCH = 4096
WARM_UP = 50  # steps


class Denoiser(nn.Module):
    """(N, D) noisy rows, times and labels (N,) to (N, D): velocities of numbers, logits of categories."""

    def __init__(self, size: int, classes: int, width: int) -> None:
        from diffusers.models.embeddings import TimestepEmbedding, Timesteps

        super().__init__()
        self.row = nn.Linear(size, width)
        self.time = nn.Sequential(Timesteps(width, True, 0), TimestepEmbedding(width, width))
        self.label = nn.Embedding(classes, width)
        hidden = [part for _ in range(2) for part in (nn.SiLU(), nn.Linear(width, width))]
        self.layers = nn.Sequential(*hidden, nn.SiLU(), nn.Linear(width, size))

    def forward(self, noisy: torch.Tensor, times: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        return self.layers(self.row(noisy) + self.time(times) + self.label(labels))


@register("tabddpm")
class TabDdpm(Generator):
    """Diffusion of numbers and categories, told the class, from all kept rows (Kotelnikov 2023)"""

    kinds = ("tables",)

    @dataclass(frozen=True)
    class Config:
        """`width`: of the network's layers. `times`: levels of noise, and steps of the network for each sample."""

        steps: Annotated[int, Field(gt=0)] = 600
        batch_size: Annotated[int, Field(gt=1)] = 128
        lr: Annotated[float, Field(gt=0)] = 5e-3
        ema: Annotated[float, Field(ge=0, lt=1)] = 0.99
        width: Annotated[int, Field(gt=0, multiple_of=2)] = 128
        times: Annotated[int, Field(gt=1)] = 50

    def _fit(self, train: DataSet, labels: tuple[int, ...]) -> None:
        self._know(train)
        part = Part.of_all(train, labels, self._encoder, self.device)
        model = self._network()
        average = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(self.config.ema))
        optimiser = torch.optim.AdamW(model.parameters(), lr=self.config.lr, fused=True)
        work = identity(train, self.name, self.config, self.seed, self.device.type)
        parts = {"model": model, "average": average, "optimiser": optimiser}
        self._learn(part, parts, Checkpoint(self.workdir, "tabddpm.pt", work))
        self._model = average.module.eval()

    def _know(self, train: DataSet) -> None:
        """Takes from the data what does not depend on a training."""
        self._encoder = NormalScores.fit(train)
        self._classes = len(train.class_names)
        self._scheduler = _scheduler(self.config.times)
        categories = [count for count in self._encoder.categories if count]
        self._multinomial = Multinomial(categories, self._scheduler.alphas_cumprod, self.device)
        self._size = self._encoder.numbers + sum(categories)

    def _network(self) -> nn.Module:
        return Denoiser(self._size, self._classes, self.config.width).to(self.device)

    def _state(self) -> State:
        return {"weights": dict(self._model.state_dict())}

    def _restore(self, train: DataSet, state: State) -> None:
        self._know(train)
        self._model = self._network().eval()
        self._model.load_state_dict(state["weights"])

    def _learn(self, part: Part, parts: dict[str, Any], checkpoint: Checkpoint) -> None:
        steps, model, optimiser = self.config.steps, parts["model"], parts["optimiser"]
        weights = [*model.parameters()]
        for step in steps_to_do(self, checkpoint, parts, steps):
            for group in optimiser.param_groups:
                group["lr"] = self.config.lr * min(1, step / WARM_UP, 1.05 - step / steps)  # then down to 5 %
            losses = self._losses(model, *part.draw(self.config.batch_size))
            optimiser.zero_grad()
            torch.stack([*losses.values()]).sum().backward()
            nn.utils.clip_grad_norm_(weights, 1.0)
            optimiser.step()
            parts["average"].update_parameters(model)
            self.log_losses(step, steps, self.config.lr, losses)

    def _losses(self, model: nn.Module, clean: torch.Tensor, labels: torch.Tensor) -> dict[str, torch.Tensor]:
        """Mean squared error of the numbers' velocity, and the bound of the categories; of what there is."""
        times = torch.randint(self.config.times, (len(clean),), device=self.device)
        numbers, codes = self._parted(clean)
        noise = torch.randn_like(numbers)
        noisy = self._scheduler.add_noise(numbers, noise, times)
        drawn = self._multinomial.noisy(codes, times)
        velocity, logits = self._parted(model(torch.cat([noisy, drawn], dim=1), times, labels))
        losses = {}
        if self._encoder.numbers:
            losses["number_loss"] = F.mse_loss(velocity, self._scheduler.get_velocity(numbers, noise, times))
        if self._multinomial.columns:
            losses["category_loss"] = self._multinomial.loss(logits, codes, drawn, times)
        return losses

    def _parted(self, rows: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Numbers and categories."""
        return rows[:, : self._encoder.numbers], rows[:, self._encoder.numbers :]

    def _sample(self, label: int, count: int) -> Rows:
        return in_batches(self, count, SAMPLE_BATCH, lambda some: self._encoder.decode(self._denoise(label, some)))

    def _denoise(self, label: int, count: int) -> torch.Tensor:
        """`count` encoded rows of `label` from noise."""
        numbers = torch.randn(count, self._encoder.numbers, device=self.device)
        codes = self._multinomial.noise(count)
        labels = torch.full((count,), label, device=self.device)
        for time in self._scheduler.timesteps:
            times = torch.full_like(labels, int(time))
            velocity, logits = self._parted(self._model(torch.cat([numbers, codes], dim=1), times, labels))
            numbers = self._scheduler.step(velocity, time, numbers).prev_sample
            codes = self._multinomial.step(logits, codes, times)
        return torch.cat([numbers, codes], dim=1)


def _scheduler(times: int) -> Any:
    """Diffusion with so many levels of noise, all of them walked through by samples."""
    from diffusers import DDPMScheduler

    settings = {"beta_schedule": "squaredcos_cap_v2", "prediction_type": "v_prediction", "clip_sample": False}
    scheduler = DDPMScheduler(times, **settings)
    scheduler.set_timesteps(times)
    return scheduler
