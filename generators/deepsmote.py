"""DeepSMOTE (Dablain et al. 2022, https://arxiv.org/abs/2105.02340): SMOTE between the codes of an autoencoder.

Its loss has two parts: how well images are given back, and how well each image of a class is given back from the code
of another one of its class, so that between codes there is something to be decoded.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import torch
from pydantic import Field
from torch import nn
from torch.nn import functional as F

from ..datasets.base import DataSet, Images
from .base import Generator, register
from .batches import in_batches
from .checkpoint import Checkpoint, identity
from .encoders import fitted
from .networks import ConvDiscriminator, ConvGenerator, Shape
from .oversample import require
from .part import Part
from .resume import steps_to_do
from .smote_gan import Interpolator
from .state import State

SAMPLE_BATCH = 256


class _Autoencoder(nn.Module):
    """Images (B, C, H, W) in [-1, 1] to codes (B, latent) and back."""

    def __init__(self, shape: Shape, latent: int) -> None:
        super().__init__()
        judge = ConvDiscriminator(shape, batch_norm=True)
        self.encode = nn.Sequential(judge.layers, nn.Linear(judge.score.in_features, latent))
        self.decoder = ConvGenerator(latent, shape)

    def decode(self, codes: torch.Tensor) -> torch.Tensor:
        return self.decoder(codes, codes)  # it looks at no labels


@register("deepsmote")
class DeepSmote(Generator):
    """SMOTE between the codes of an autoencoder that learns from all kept images (Dablain 2022)"""

    keeps_examples = True

    @dataclass(frozen=True)
    class Config:
        """`steps` counts batches, in which all classes are equally likely; `neighbours` are those of SMOTE."""

        steps: Annotated[int, Field(gt=0)] = 1000
        batch_size: Annotated[int, Field(gt=1)] = 64
        lr: Annotated[float, Field(gt=0)] = 1e-3
        latent_dim: Annotated[int, Field(gt=0)] = 64
        neighbours: Annotated[int, Field(gt=0)] = 5

    def _fit(self, train: DataSet, labels: tuple[int, ...]) -> None:
        require(2, train, labels, f"{self.name} goes between")
        self._encoder = fitted(train)
        everything = Part.of_all(train, labels, self._encoder, self.device)
        several = [label for label in everything.labels if (train.labels == label).sum() > 1]
        parts = [Part.of(train, [label], self._encoder, self.device) for label in several]
        model = self._network(train)
        optimiser = torch.optim.Adam(model.parameters(), lr=self.config.lr, fused=True)
        work = identity(train, self.name, self.config, self.seed, self.device.type, labels)
        checkpoint = Checkpoint(self.workdir, "deepsmote.pt", work)
        for step in steps_to_do(self, checkpoint, {"model": model, "optimiser": optimiser}, self.config.steps):
            losses = self._losses(model, everything, parts)
            optimiser.zero_grad()
            torch.stack(list(losses.values())).sum().backward()
            optimiser.step()
            self.log_losses(step, self.config.steps, self.config.lr, losses)
        self._know(train, labels, model)

    def _losses(self, model: _Autoencoder, everything: Part, parts: list[Part]) -> dict[str, torch.Tensor]:
        size = self.config.batch_size
        images, _ = everything.draw(size)
        one, _ = parts[int(torch.randint(len(parts), ()))].draw(size)
        given_back = model.decode(model.encode(images))
        from_another = model.decode(model.encode(one)[torch.randperm(size, device=one.device)])
        return {"reconstruction_loss": F.mse_loss(given_back, images), "penalty_loss": F.mse_loss(from_another, one)}

    def _network(self, train: DataSet) -> _Autoencoder:
        height, width, channels = train.shape
        return _Autoencoder((channels, height, width), self.config.latent_dim).to(self.device)

    def _know(self, train: DataSet, labels: tuple[int, ...], model: _Autoencoder) -> None:
        """Keeps the model and, of each class to be filled, the codes of its images with their neighbours."""
        self._model, self._labels = model.eval(), labels
        self._smote = {}
        for label in labels:
            images = Part.of(train, [label], self._encoder, self.device).encoded
            with torch.inference_mode():
                codes = torch.cat([model.encode(some) for some in images.split(SAMPLE_BATCH)])
            self._smote[label] = Interpolator.of(codes, self.config.neighbours)

    def _state(self) -> State:
        return {"labels": list(self._labels), "weights": dict(self._model.state_dict())}

    def _restore(self, train: DataSet, state: State) -> None:
        self._encoder = fitted(train)
        model = self._network(train)
        model.load_state_dict(state["weights"])
        self._know(train, tuple(state["labels"]), model)

    def _sample(self, label: int, count: int) -> Images:
        smote = self._smote[label]
        return in_batches(
            self, count, SAMPLE_BATCH, lambda some: self._encoder.decode(self._model.decode(smote.draw(some)))
        )
