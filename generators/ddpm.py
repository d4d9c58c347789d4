"""Class-conditional diffusion from scratch on the kept images of all classes.

Denoising diffusion (Ho et al. 2020, https://arxiv.org/abs/2006.11239) with the cosine schedule (Nichol & Dhariwal
2021, https://arxiv.org/abs/2102.09672), the velocity as the target (Salimans & Ho 2022,
https://arxiv.org/abs/2202.00512), classifier-free guidance (Ho & Salimans 2022, https://arxiv.org/abs/2207.12598)
and DPM-Solver++ (Lu et al. 2022, https://arxiv.org/abs/2211.01095) as the sampler; or flow matching, see `objectives`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import torch
from pydantic import Field
from torch import nn
from torch.nn import functional as F
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from ..compute import Pass, seeded
from ..datasets.base import DataSet, Images
from .base import Generator, register
from .batches import in_batches
from .checkpoint import Checkpoint, identity
from .encoders import fitted
from .objectives import OBJECTIVES, TIMES, Objective
from .part import Part
from .precision import learn_in, name_of, training_precision
from .resume import steps_to_do
from .state import State

PIXELS_AT_ONCE = 2**18  # of all images in a batch of samples
LARGEST_BATCH = 256
MOST_HALVINGS = 3


@register("ddpm")
class Ddpm(Generator):
    """Class-conditional diffusion from scratch, trained on all kept images (Ho 2020)"""

    @dataclass(frozen=True)
    class Config:
        """`objective`: what is learned, velocity diffusion or flow matching.
        `unlabelled`: share of the images shown without class, for guidance. `guidance`: 1 is none.

        `cbdm`: the class-balancing regulariser for long tails (Qin et al. 2023, https://arxiv.org/abs/2305.00562).
        """

        objective: Literal["velocity", "flow"] = "velocity"
        steps: Annotated[int, Field(gt=0)] = 200
        batch_size: Annotated[int, Field(gt=1)] = 48
        lr: Annotated[float, Field(gt=0)] = 3e-3
        ema: Annotated[float, Field(ge=0, lt=1)] = 0.99
        unlabelled: Annotated[float, Field(ge=0, lt=1)] = 0.1
        guidance: Annotated[float, Field(ge=0)] = 1.5
        sampling_steps: Annotated[int, Field(gt=1)] = 20
        cbdm: bool = False

    def _fit(self, train: DataSet, labels: tuple[int, ...]) -> None:
        self._know(train)
        kept = Part.of_all(train, labels, self._encoder, self.device)
        work = identity(train, self.name, self.config, self.seed, self.device.type)

        def learn(dtype: torch.dtype) -> nn.Module:
            self._trained_in = dtype
            model = self._network()
            average = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(self.config.ema))
            optimiser = torch.optim.AdamW(model.parameters(), lr=self.config.lr, fused=True)
            parts = {"model": model, "average": average, "optimiser": optimiser}
            checkpoint = Checkpoint(self.workdir, f"ddpm-{name_of(dtype)}.pt", work)
            self._learn(kept, parts, checkpoint, train.traits.flip)
            return average.module.eval()

        self._model = learn_in(self, training_precision(self.device, self._trial(kept)), learn)

    def _trial(self, part: Part) -> Pass:
        """One pass on real images, from the same state each time."""

        def run(dtype: torch.dtype) -> tuple[torch.Tensor, Sequence[torch.Tensor]]:
            self._trained_in = dtype
            with seeded(self.seed):
                model = self._network()
                clean, labels = part.draw(self.config.batch_size)
                loss = self._loss(model, self._padded(clean), labels, part.classes)
                return loss, torch.autograd.grad(loss, list(model.parameters()), materialize_grads=True)

        return run

    def _know(self, train: DataSet) -> None:
        """Takes from the data what does not depend on a training."""
        self._encoder = fitted(train)
        height, width, channels = train.shape
        self._shape = channels, height, width
        self._no_class = len(train.class_names)

    @property
    def _objective(self) -> Objective:
        return OBJECTIVES[self.config.objective]

    def _network(self) -> nn.Module:
        return make_unet(self._shape, self._no_class).to(self.device)

    def _state(self) -> State:
        return {"weights": dict(self._model.state_dict()), "precision": name_of(self._trained_in)}

    def _restore(self, train: DataSet, state: State) -> None:
        self._know(train)
        self._trained_in = getattr(torch, state["precision"])
        self._model = self._network().eval()
        self._model.load_state_dict(state["weights"])

    def _learn(self, part: Part, parts: dict[str, Any], checkpoint: Checkpoint, flip: bool) -> None:
        steps, optimiser = self.config.steps, parts["optimiser"]
        for step in steps_to_do(self, checkpoint, parts, steps):
            for group in optimiser.param_groups:
                group["lr"] = self.config.lr * min(1, step / 50, 1.05 - step / steps)  # warm-up, then down to 5 %
            clean, labels = part.draw(self.config.batch_size)
            if flip:
                clean = torch.where(torch.rand(len(clean), 1, 1, 1, device=self.device) < 0.5, clean.flip(-1), clean)
            loss = self._loss(parts["model"], self._padded(clean), labels, part.classes)
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(parts["model"].parameters(), 1.0)
            optimiser.step()
            parts["average"].update_parameters(parts["model"])
            self.log_losses(step, steps, self.config.lr, {"loss": loss})

    def _loss(self, model: nn.Module, clean: torch.Tensor, labels: torch.Tensor, classes: torch.Tensor) -> torch.Tensor:
        """Mean squared error of what the objective asks for; with `cbdm`, and its regulariser."""
        times = self._objective.times(len(clean), self.device)
        hidden = torch.rand(len(clean), device=self.device) < self.config.unlabelled
        noisy, target = self._objective.noised(clean, torch.randn_like(clean), times)
        shown = torch.where(hidden, self._no_class, labels)
        guess = self._guess(model, noisy, times, shown)
        loss = F.mse_loss(guess, target)
        if not self.config.cbdm:
            return loss
        weight = (self._objective.noise_per_guess(times) * times / TIMES * ~hidden)[:, None, None, None]
        other = classes[torch.randint(len(classes), labels.shape, device=self.device)]
        balanced = self._guess(model, noisy, times, other)
        return (
            loss
            + (weight * (guess - balanced.detach()).square()).mean()
            + (weight * (guess.detach() - balanced).square()).mean() / 4
        )

    def _guess(self, model: nn.Module, noisy: torch.Tensor, times: Any, labels: torch.Tensor) -> torch.Tensor:
        reduced = self._trained_in != torch.float32
        with torch.autocast(self.device.type, self._trained_in if reduced else None, enabled=reduced):
            return model(noisy, times, labels).sample.float()

    def _padded(self, images: torch.Tensor) -> torch.Tensor:
        """With borders, so that the sides can be halved as often as the network does."""
        multiple = 2 ** halvings(self._shape)
        down, right = (-side % multiple for side in images.shape[2:])
        return F.pad(images, (0, right, 0, down), mode="replicate")

    def _sample(self, label: int, count: int) -> Images:
        size = min(LARGEST_BATCH, max(1, PIXELS_AT_ONCE // math.prod(self._shape[1:])))
        return in_batches(self, count, size, lambda some: self._encoder.decode(self._denoise(label, some)))

    def _denoise(self, label: int, count: int) -> torch.Tensor:
        """`count` images of `label` from noise, (count, C, H, W), about [-1, 1]."""
        channels, height, width = self._shape
        images = self._padded(torch.empty(count, channels, height, width, device=self.device)).normal_()
        labels = torch.full((count,), label, device=self.device)
        guided = self.config.guidance != 1 and self.config.unlabelled > 0  # or none was learned
        if guided:
            labels = torch.cat([labels, torch.full_like(labels, self._no_class)])
        solver = self._objective.solver(self.config.sampling_steps, self.device)
        for time in solver.timesteps:
            guess = self._guess(self._model, images.repeat(2, 1, 1, 1) if guided else images, time, labels)
            if guided:
                of_class, of_none = guess.chunk(2)
                guess = of_none + self.config.guidance * (of_class - of_none)
            images = solver.step(guess, time, images).prev_sample
        return images[..., :height, :width]


def halvings(shape: tuple[int, int, int]) -> int:
    """How often the network halves images of `shape` (C, H, W): their shorter side stays 4 or more."""
    return max(0, min(MOST_HALVINGS, int(math.log2(min(shape[1:]) / 4))))


def make_unet(shape: tuple[int, int, int], classes: int) -> nn.Module:
    """diffusers' UNet for images of `shape` (C, H, W); the class after the last one stands for none."""
    from diffusers import UNet2DModel

    levels = halvings(shape) + 1
    width = 32 if min(shape[1:]) < 16 else 64
    return UNet2DModel(
        in_channels=shape[0],
        out_channels=shape[0],
        block_out_channels=(width, *[2 * width] * (levels - 1)),
        down_block_types=(*["DownBlock2D"] * (levels - 1), "AttnDownBlock2D"),
        up_block_types=("AttnUpBlock2D", *["UpBlock2D"] * (levels - 1)),
        layers_per_block=1,
        attention_head_dim=width,
        norm_num_groups=8,
        num_class_embeds=classes + 1,
    )
