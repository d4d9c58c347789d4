"""Lei Xu et al., Modeling Tabular Data using Conditional GAN, NeurIPS 2019, https://arxiv.org/abs/1907.00503."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import torch
from pydantic import Field
from torch import nn
from torch.nn import functional as F

from ..datasets.base import DataSet
from ..datasets.tables import Rows
from .base import register
from .batches import in_batches
from .checkpoint import Checkpoint, identity
from .conditions import Conditions
from .mode_network import SAMPLE_BATCH, ModeNetworkGenerator
from .modes import ModeEncoder, by_segment, softened
from .oversample import require
from .resume import steps_to_do

HIDDEN = 256
TEMPERATURE = 0.2  # of Gumbel's softmax


class _Residual(nn.Module):
    """(B, inputs) to (B, inputs + HIDDEN): what comes in, and what a layer makes of it."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(inputs, HIDDEN), nn.BatchNorm1d(HIDDEN), nn.ReLU())

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return torch.cat([self.layers(inputs), inputs], dim=1)


class _Critic(nn.Module):
    """Rows with their conditions (B, inputs) to a score for each `pac` of them, (B / pac,)."""

    def __init__(self, inputs: int, pac: int) -> None:
        super().__init__()
        self.pac = pac
        self.layers = nn.Sequential(
            nn.Linear(pac * inputs, HIDDEN),
            nn.LeakyReLU(0.2),
            nn.Dropout(0.5),
            nn.Linear(HIDDEN, HIDDEN),
            nn.LeakyReLU(0.2),
            nn.Dropout(0.5),
            nn.Linear(HIDDEN, 1),
            nn.Flatten(0),
        )

    def forward(self, rows: torch.Tensor, conditions: torch.Tensor) -> torch.Tensor:
        return self.layers(torch.cat([rows, conditions], dim=1).reshape(len(rows) // self.pac, -1))


@register("ctgan")
class Ctgan(ModeNetworkGenerator):
    """Conditional GAN for mixed columns, trained on all kept rows with their class as a column (Xu 2019)"""

    @dataclass(frozen=True)
    class Config:
        """`steps` counts the generator's batches. The paper makes 300 passes over many rows in batches of 500, at a
        rate of 2e-4; of few rows more is learned in the same time in smaller batches, at a higher rate.

        `batch_size` is rounded up to whole packs of `pac` rows, which are judged together.
        """

        steps: Annotated[int, Field(gt=0)] = 500
        batch_size: Annotated[int, Field(gt=1)] = 100
        pac: Annotated[int, Field(gt=0)] = 10
        lr: Annotated[float, Field(gt=0)] = 1e-3
        latent_dim: Annotated[int, Field(gt=0)] = 128
        discriminator_steps: Annotated[int, Field(gt=0)] = 1
        gradient_penalty: Annotated[float, Field(ge=0)] = 10.0

    def _fit(self, train: DataSet, labels: tuple[int, ...]) -> None:
        require(1, train, labels, f"{self.name} learns from")
        self._know(train, ModeEncoder.fit(train))
        classes = F.one_hot(torch.from_numpy(train.labels), len(train.class_names)).float().to(self.device)
        encoded = torch.cat([self._encoder.encode(train.x, self.device), classes], dim=1)
        conditions = Conditions.of(encoded, self._columns)
        networks = {"generator": self._network(), "discriminator": self._critic()}
        parts: dict[str, Any] = dict(networks)
        for name, network in networks.items():
            parts[f"{name}_optimiser"] = torch.optim.Adam(
                network.parameters(), lr=self.config.lr, betas=(0.5, 0.9), fused=True
            )
        work = identity(train, self.name, self.config, self.seed, self.device.type)
        steps = self.config.steps
        for step in steps_to_do(self, Checkpoint(self.workdir, "ctgan.pt", work), parts, steps):
            self.log_losses(step, steps, self.config.lr, self._step(conditions, **parts))
        self._model = networks["generator"].eval()

    def _know(self, train: DataSet, encoder: ModeEncoder) -> None:
        super()._know(train, encoder)
        kinds = zip(encoder.segments, encoder.categories, strict=True)
        self._size = encoder.size + len(train.class_names)
        # The class is one more column of categories.
        self._columns = [segment for segment, count in kinds if count] + [slice(encoder.size, self._size)]
        self._widths = *encoder.widths, len(train.class_names)
        self._categories = sum(column.stop - column.start for column in self._columns)

    def _network(self) -> nn.Module:
        inputs = self.config.latent_dim + self._categories
        last = nn.Linear(inputs + 2 * HIDDEN, self._size)
        return nn.Sequential(_Residual(inputs), _Residual(inputs + HIDDEN), last).to(self.device)

    def _critic(self) -> nn.Module:
        return _Critic(self._size + self._categories, self.config.pac).to(self.device)

    def _made(self, generator: nn.Module, conditions: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Encoded rows made for conditions (B, K): (B, D), and what was softened into them, (B, D)."""
        noise = torch.randn(len(conditions), self.config.latent_dim, device=self.device)
        raw = generator(torch.cat([noise, conditions], dim=1))
        numbers, logits = raw[:, : self._encoder.numbers], raw[:, self._encoder.numbers :]
        return torch.cat([numbers.tanh(), softened(logits, self._widths, TEMPERATURE)], dim=1), raw

    def _step(
        self,
        conditions: Conditions,
        generator: nn.Module,
        discriminator: nn.Module,
        generator_optimiser: torch.optim.Optimizer,
        discriminator_optimiser: torch.optim.Optimizer,
    ) -> dict[str, torch.Tensor]:
        """One step of the generator, after its discriminator's; their two losses."""
        for _ in range(self.config.discriminator_steps):
            judged = self._discriminator_loss(generator, discriminator, conditions)
            discriminator_optimiser.zero_grad()
            judged.backward()
            discriminator_optimiser.step()
        discriminator.requires_grad_(False)  # spares its weights' gradients
        fooled = self._generator_loss(generator, discriminator, conditions)
        generator_optimiser.zero_grad()
        fooled.backward()
        generator_optimiser.step()
        discriminator.requires_grad_(True)
        return {"generator_loss": fooled, "discriminator_loss": judged}

    def _drawn(self, conditions: Conditions) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """A batch of whole packs: categories (B,), these one-hot (B, K), and rows that hold them (B, D)."""
        drawn, real = conditions.draw(-(-self.config.batch_size // self.config.pac) * self.config.pac)
        return drawn, F.one_hot(drawn, self._categories).float(), real

    def _generator_loss(self, generator: nn.Module, discriminator: nn.Module, conditions: Conditions) -> torch.Tensor:
        """The critic's, and the cross-entropy of the category that was asked for."""
        drawn, asked, _ = self._drawn(conditions)
        fake, raw = self._made(generator, asked)
        logits = raw[:, self._encoder.numbers :]
        shares = by_segment(lambda part: part.log_softmax(2), logits, self._widths)
        held = shares.gather(1, conditions.places[drawn, None] - self._encoder.numbers)
        return -held.mean() - discriminator(fake, asked).mean()

    def _discriminator_loss(
        self, generator: nn.Module, discriminator: nn.Module, conditions: Conditions
    ) -> torch.Tensor:
        """Wasserstein's, with the penalty on the slope between packs of real and made rows (Gulrajani 2017)."""
        _, asked, real = self._drawn(conditions)
        with torch.no_grad():
            fake, _ = self._made(generator, asked)
        real_score, fake_score = discriminator(torch.cat([real, fake]), asked.repeat(2, 1)).chunk(2)
        pac = self.config.pac
        part = torch.rand(len(real) // pac, 1, device=self.device).repeat_interleave(pac, dim=0)
        between = torch.lerp(real, fake, part).requires_grad_()
        (slope,) = torch.autograd.grad(discriminator(between, asked).sum(), between, create_graph=True)
        penalty = (slope.reshape(len(real) // pac, -1).norm(dim=1) - 1).square().mean()
        return (fake_score - real_score).mean() + self.config.gradient_penalty * penalty

    def _sample(self, label: int, count: int) -> Rows:
        # A row is of the class that was asked for, as in the paper: to reject those that say otherwise may never end.
        spot = self._categories - (self._size - self._encoder.size) + label

        def make(some: int) -> Rows:
            asked = torch.zeros(some, self._categories, device=self.device)
            asked[:, spot] = 1
            rows, _ = self._made(self._model, asked)
            return self._encoder.decode(rows[:, : self._encoder.size])

        return in_batches(self, count, SAMPLE_BATCH, make)
