"""The one adversarial training loop behind every GAN: losses, averaged weights, checkpoints."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import torch
from pydantic import Field
from torch import nn
from torch.nn import functional as F
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from ..datasets.base import Array, DataSet
from ..errors import FillbenchError
from .base import Generator
from .batches import in_batches
from .checkpoint import Checkpoint, identity
from .encoders import fitted
from .part import Part
from .resume import steps_to_do
from .state import State

SAMPLE_BATCH = 256


class _Players:
    """The two networks, the average of the generator's weights, and the optimisers."""

    def __init__(
        self,
        networks: tuple[nn.Module, nn.Module],
        config: Any,
        betas: tuple[float, float],
        device: torch.device,
    ) -> None:
        self.generator, self.discriminator = (network.to(device) for network in networks)
        # With its buffers, or batch norm would scale by statistics of other weights than the averaged ones.
        self.average = AveragedModel(self.generator, multi_avg_fn=get_ema_multi_avg_fn(config.ema), use_buffers=True)
        self.generator_optimiser, self.discriminator_optimiser = (
            torch.optim.Adam(network.parameters(), lr=config.lr, betas=betas, fused=True)
            for network in (self.generator, self.discriminator)
        )


class AdversarialGenerator(Generator):
    """A generator network trained against a discriminator, one pair for each class that needs examples.

    A subclass writes `_networks`; what it does otherwise than Goodfellow et al. (2014) it overrides.
    Examples are made with the exponential moving average of the generator's weights.
    """

    betas: ClassVar[tuple[float, float]] = (0.5, 0.99)  # Adam's; a low first one keeps the two from orbiting

    @dataclass(frozen=True)
    class Config:
        """Settings of every GAN; `diffaugment`, of images, helps most where a class has few."""

        steps: Annotated[int, Field(gt=0)] = 800
        batch_size: Annotated[int, Field(gt=1)] = 32
        lr: Annotated[float, Field(gt=0)] = 1e-3
        latent_dim: Annotated[int, Field(gt=0)] = 32
        ema: Annotated[float, Field(ge=0, lt=1)] = 0.99
        diffaugment: bool = True

    @abstractmethod
    def _networks(self, shape: Any, classes: int) -> tuple[nn.Module, nn.Module]:
        """Generator and discriminator for encoded examples of `shape`, (C, H, W) of images; `classes`: how many labels
        the data set knows.

        Both are called with (batch, labels (B,)); the discriminator returns scores (B,), not probabilities.
        """

    def _parts(self, train: DataSet, labels: tuple[int, ...]) -> list[Part]:
        """What each model learns from; `labels` are the classes to be filled."""
        return [Part.of(train, [label], self._encoder, self.device) for label in labels]

    def _inputs(self, label: int, count: int) -> torch.Tensor:
        """What the generator makes `count` examples of `label` from, (count, inputs)."""
        return torch.randn(count, self.config.latent_dim, device=self.device)

    def _input_size(self, shape: tuple[int, ...]) -> int:
        """How many numbers `_inputs` gives for each example, which has `shape` when encoded."""
        return int(self.config.latent_dim)

    def _critic_steps(self) -> int:
        """Steps of the discriminator for each one of the generator."""
        return 1

    def _discriminator_loss(
        self, discriminator: nn.Module, real: torch.Tensor, fake: torch.Tensor, labels: torch.Tensor
    ) -> torch.Tensor:
        real_score, fake_score = discriminator(torch.cat([real, fake]), labels.repeat(2)).chunk(2)
        return F.softplus(-real_score).mean() + F.softplus(fake_score).mean()

    def _generator_loss(self, discriminator: nn.Module, fake: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        # The non-saturating loss: maximise log D(G(z)), whose gradient lives on while D wins.
        return F.softplus(-discriminator(fake, labels)).mean()

    def _fit(self, train: DataSet, labels: tuple[int, ...]) -> None:
        self._encoder = fitted(train)
        parts = self._parts(train, labels)
        work = identity(train, self.name, self.config, self.seed, self.device.type, labels)
        self._averages: dict[int, nn.Module] = {}
        for index, part in enumerate(parts):
            players = _Players(self._networks_for(train), self.config, self.betas, self.device)
            checkpoint = Checkpoint(self.workdir, f"adversarial-{index}.pt", work)
            self._train_part(part, players, checkpoint, index, len(parts))
            self._averages.update(dict.fromkeys(part.labels, players.average.module.eval()))

    def _train_part(self, part: Part, players: _Players, checkpoint: Checkpoint, index: int, parts: int) -> None:
        steps = self.config.steps
        label = part.labels[0] if len(part.labels) == 1 else None
        for step in steps_to_do(self, checkpoint, vars(players), steps, before=index * steps, total=parts * steps):
            losses = self._step(part, players)
            self.log_losses(step, steps, self.config.lr, losses, label)

    def _networks_for(self, train: DataSet) -> tuple[nn.Module, nn.Module]:
        shape = self._encoder.encode(train.x[:1], self.device).shape[1:]
        return self._networks(tuple(shape), len(train.class_names))

    def _state(self) -> State:
        served: dict[nn.Module, list[int]] = {}
        for label, model in self._averages.items():
            served.setdefault(model, []).append(label)
        return {"models": [(labels, dict(model.state_dict())) for model, labels in served.items()]}

    def _restore(self, train: DataSet, state: State) -> None:
        self._encoder = fitted(train)
        self._averages = {}
        for labels, weights in state["models"]:
            model = self._networks_for(train)[0].to(self.device).eval()
            model.load_state_dict(weights)
            self._averages.update(dict.fromkeys(labels, model))

    def _step(self, part: Part, players: _Players) -> dict[str, torch.Tensor]:
        """One step of the generator, after its discriminator's; their two losses."""
        size = self.config.batch_size
        for _ in range(self._critic_steps()):
            real, labels = part.draw(size)
            fake = players.generator(self._inputs(part.labels[0], size), labels)
            shown_real, shown_fake = self._shown(torch.cat([real, fake.detach()])).chunk(2)
            judged = self._discriminator_loss(players.discriminator, shown_real, shown_fake, labels)
            players.discriminator_optimiser.zero_grad()
            judged.backward()
            players.discriminator_optimiser.step()
        players.discriminator.requires_grad_(False)  # spares its weights' gradients
        fooled = self._generator_loss(players.discriminator, self._shown(fake), labels)
        players.generator_optimiser.zero_grad()
        fooled.backward()
        players.generator_optimiser.step()
        players.discriminator.requires_grad_(True)
        players.average.update_parameters(players.generator)
        return {"generator_loss": fooled, "discriminator_loss": judged}

    def _shown(self, examples: torch.Tensor) -> torch.Tensor:
        """What the discriminator gets to see of `examples`."""
        return self._encoder.augmented(examples) if self.config.diffaugment else examples

    def _sample(self, label: int, count: int) -> Array:
        if label not in self._averages:
            raise FillbenchError(f"{self.name}: class {label} was not among the labels that fit was given")

        def make(some: int) -> Array:
            labels = torch.full((some,), label, device=self.device)
            return self._encoder.decode(self._averages[label](self._inputs(label, some), labels))

        return in_batches(self, count, SAMPLE_BATCH, make)
