"""The variational autoencoder of Xu et al. 2019, https://arxiv.org/abs/1907.00503, section 4.5, told the class.

The paper's has no condition. One that is told the class (Sohn et al. 2015) learns from all rows what classes have in
common; a rare one alone has too few.
"""

from __future__ import annotations

import math
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
from .mode_network import SAMPLE_BATCH, ModeNetworkGenerator
from .modes import ModeEncoder, by_segment, softened
from .part import Part
from .resume import steps_to_do

HIDDEN = 128
LEAST_SPREAD = 0.01  # of a place, or a column of one value would have a likelihood without end


class _Autoencoder(nn.Module):
    """Rows with `size` values, `numbers` of them first, and labels of `classes`, to a normal distribution and back."""

    def __init__(self, size: int, numbers: int, classes: int, latent: int) -> None:
        super().__init__()
        self.classes = classes
        self.encoder = _layers(size + classes, 2 * latent)
        self.decoder = _layers(latent + classes, size)
        self.log_spread = nn.Parameter(torch.full((numbers,), -2.3))

    def encode(self, rows: torch.Tensor, labels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Means and log-variances of the latent values, (B, latent) both."""
        mean, log_variance = self.encoder(self._told(rows, labels)).chunk(2, dim=1)
        return mean, log_variance

    def decode(self, latent: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """What the values' distributions are made of: (B, size)."""
        return self.decoder(self._told(latent, labels))

    def spread(self) -> torch.Tensor:
        """Standard deviations of the places, (numbers,)."""
        return self.log_spread.exp()

    def _told(self, values: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        return torch.cat([values, F.one_hot(labels, self.classes).float()], dim=1)


def _layers(inputs: int, outputs: int) -> nn.Module:
    return nn.Sequential(
        nn.Linear(inputs, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, outputs)
    )


@register("tvae")
class Tvae(ModeNetworkGenerator):
    """Variational autoencoder for mixed columns, told the class and trained on all kept rows (Xu 2019)"""

    @dataclass(frozen=True)
    class Config:
        """`steps` counts batches, in which all classes are equally likely; the paper makes 300 passes."""

        steps: Annotated[int, Field(gt=0)] = 800
        batch_size: Annotated[int, Field(gt=1)] = 100
        lr: Annotated[float, Field(gt=0)] = 1e-3
        latent_dim: Annotated[int, Field(gt=0)] = 128

    def _fit(self, train: DataSet, labels: tuple[int, ...]) -> None:
        self._know(train, ModeEncoder.fit(train))
        part = Part.of_all(train, labels, self._encoder, self.device)
        model = self._network()
        optimiser = torch.optim.Adam(model.parameters(), lr=self.config.lr, fused=True)
        work = identity(train, self.name, self.config, self.seed, self.device.type)
        steps = self.config.steps
        parts: dict[str, Any] = {"model": model, "optimiser": optimiser}
        for step in steps_to_do(self, Checkpoint(self.workdir, "tvae.pt", work), parts, steps):
            loss = self._loss(model, *part.draw(self.config.batch_size))
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            model.log_spread.data.clamp_(min=math.log(LEAST_SPREAD))
            self.log_losses(step, steps, self.config.lr, {"loss": loss})
        self._model = model.eval()

    def _know(self, train: DataSet, encoder: ModeEncoder) -> None:
        super()._know(train, encoder)
        self._classes = len(train.class_names)

    def _network(self) -> _Autoencoder:
        size, numbers = self._encoder.size, self._encoder.numbers
        return _Autoencoder(size, numbers, self._classes, self.config.latent_dim).to(self.device)

    def _loss(self, model: _Autoencoder, rows: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """The negative evidence lower bound of a row, on average, less a constant."""
        mean, log_variance = model.encode(rows, labels)
        made = model.decode(mean + (log_variance / 2).exp() * torch.randn_like(mean), labels)
        numbers, spread = self._encoder.numbers, model.spread()
        off = (rows[:, :numbers] - made[:, :numbers].tanh()) / spread
        shares = by_segment(lambda part: part.log_softmax(2), made[:, numbers:], self._encoder.widths)
        unlikely = (off.square() / 2 + spread.log()).sum(1) - (rows[:, numbers:] * shares).sum(1)
        divergence = (mean.square() + log_variance.exp() - log_variance - 1).sum(1) / 2
        return (unlikely + divergence).mean()

    def _sample(self, label: int, count: int) -> Rows:
        def make(some: int) -> Rows:
            latent = torch.randn(some, self.config.latent_dim, device=self.device)
            made = self._model.decode(latent, torch.full((some,), label, device=self.device))
            return self._encoder.decode(self._drawn(made))

        return in_batches(self, count, SAMPLE_BATCH, make)

    def _drawn(self, made: torch.Tensor) -> torch.Tensor:
        """From the distributions of the values, (B, D)."""
        numbers = self._encoder.numbers
        places = made[:, :numbers].tanh()
        places = places + self._model.spread() * torch.randn_like(places)
        return torch.cat([places, softened(made[:, numbers:], self._encoder.widths)], dim=1)
