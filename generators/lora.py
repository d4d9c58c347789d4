"""Stable Diffusion adapted to the kept images by low-rank adapters (LoRA, Hu et al. 2021).

https://arxiv.org/abs/2106.09685. One adapter serves all classes, with the class in the prompt.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
from pydantic import Field
from torch import nn
from torch.nn import functional as F

from ..compute import Pass, native_bfloat16, out_of_memory, seeded
from ..datasets.base import DataSet
from .base import register
from .checkpoint import Checkpoint, identity
from .precision import learn_in, name_of, training_precision
from .pretrained import EMBEDDED
from .resume import steps_to_do
from .stable_diffusion import StableDiffusion
from .state import State

PROGRESS_STEPS = 10
UNPROMPTED = 0.1  # share of images shown without their class, so that guidance keeps its meaning
# Attention, its feed-forward layers, and the convolutions: pixels of another look need more than attention.
ADAPTED = ("to_q", "to_k", "to_v", "to_out.0", "proj_in", "proj_out", "net.0.proj", "net.2", "conv1", "conv2")
WEIGHTS = "adapter.safetensors"


@dataclass(frozen=True)
class Lessons:
    """What is shown at which step: (steps, batch) indices into `latents` and, by class, into `conditions`.

    `latents`: (U, 2, c, h, w) mean and deviation of each image that is shown, scaled. `conditions`: what the UNet is
    told besides, (K + 1, …) each, for every class and, last, for none.
    """

    shown: torch.Tensor
    labels: torch.Tensor
    latents: torch.Tensor
    conditions: dict[str, torch.Tensor]


@register("stable-diffusion-lora")
class StableDiffusionLora(StableDiffusion):
    """Stable Diffusion adapted to the kept images of all classes by LoRA (Hu 2021)"""

    @dataclass(frozen=True)
    class Config(StableDiffusion.Config):
        """As for `stable-diffusion`; and the adapter's `rank`, and how it is trained.

        What is left out follows the model: for the embedded one 200 steps of 8 images at 1e-3, for Stable Diffusion 1.5
        1,000 steps of 4 at 1e-4.
        """

        train_steps: Annotated[int, Field(gt=0)] | None = None
        train_batch_size: Annotated[int, Field(gt=0)] | None = None
        lr: Annotated[float, Field(gt=0)] | None = None
        rank: Annotated[int, Field(gt=0)] = 16

    def _adapt(self) -> None:
        """Trains the adapter, and fuses it into the UNet."""
        unet = self._pipeline.unet
        small = self._model == EMBEDDED
        self._lr = self.config.lr or (1e-3 if small else 1e-4)
        self._train_steps = self.config.train_steps or (200 if small else 1000)
        # Training takes more memory for an image than sampling does.
        self._train_batch_size = self.config.train_batch_size or max(1, min(8, self._batch_size // 2))
        self.facts |= {"train_steps": self._train_steps, "train_batch_size": self._train_batch_size, "lr": self._lr}
        work = identity(self._kept, self.name, self.config, self.seed, self.device.type, self.inputs())
        self._frozen = unet.dtype
        lessons = self._lessons()

        def learn(dtype: torch.dtype) -> None:
            parameters = self._begin_in(dtype)
            parts = {
                "adapter": nn.ParameterList(parameters),
                "optimiser": torch.optim.AdamW(parameters, lr=self._lr, weight_decay=0.01, fused=True),
                "scaler": torch.amp.GradScaler(self.device.type, enabled=dtype == torch.float16),
            }
            self._learn(lessons, parts, Checkpoint(self.workdir, f"lora-{name_of(dtype)}.pt", work))

        asked = self.config.precision != "auto"
        learn_in(self, self._training_precision(lessons), learn, asked=asked, fact="training_precision")
        _cast_frozen(unet, self._frozen)
        self._fuse()

    def _training_precision(self, lessons: Lessons) -> torch.dtype:
        if self.config.precision != "auto":
            return self._weights_type()
        if self.device.type == "cuda" and not native_bfloat16(self.device):
            return torch.float16  # with a scaler, which leaves out the steps that overflow
        try:
            return training_precision(self.device, self._trial(lessons))
        except (RuntimeError, MemoryError) as error:
            if not out_of_memory(error):
                raise
            return torch.bfloat16  # no room to compare it with float32

    def _trial(self, lessons: Lessons) -> Pass:
        """One pass on real images, from the same state each time."""

        def run(dtype: torch.dtype) -> tuple[torch.Tensor, Sequence[torch.Tensor]]:
            with seeded(self.seed):
                parameters = self._begin_in(dtype)
                loss = self._loss(self._noising(), lessons, 0)
                return loss, torch.autograd.grad(loss, parameters, materialize_grads=True)

        return run

    def _begin_in(self, dtype: torch.dtype) -> list[nn.Parameter]:
        """A new adapter's parameters, to be trained in `dtype`; an earlier one is gone."""
        unet = self._pipeline.unet
        unet.unload_lora()
        _cast_frozen(unet, dtype if dtype == torch.float32 else self._frozen)
        self._trained_in = dtype
        return _add_adapter(unet, self.config.rank)

    def _noising(self) -> Any:
        from diffusers import DDPMScheduler

        return DDPMScheduler.from_config(self._pipeline.scheduler.config)

    def _fuse(self) -> None:
        """Adds the adapter to the UNet's own weights, and keeps what it was."""
        from peft.utils import get_peft_model_state_dict

        unet = self._pipeline.unet
        self._weights = {name: value.cpu() for name, value in get_peft_model_state_dict(unet).items()}
        unet.requires_grad_(False).eval()
        unet.fuse_lora()
        unet.unload_lora()

    def _state(self) -> State:
        return {"adapter": self._weights}

    def _restore(self, train: DataSet, state: State) -> None:
        from peft.utils import set_peft_model_state_dict

        self._open(train)
        _add_adapter(self._pipeline.unet, self.config.rank)
        set_peft_model_state_dict(self._pipeline.unet, state["adapter"])
        self._fuse()
        self._compile()

    def _learn(self, lessons: Lessons, parts: dict[str, Any], checkpoint: Checkpoint) -> None:
        steps, optimiser, scaler = self._train_steps, parts["optimiser"], parts["scaler"]
        scheduler = self._noising()
        for step in steps_to_do(self, checkpoint, parts, steps, every=PROGRESS_STEPS):
            for group in optimiser.param_groups:
                group["lr"] = self._lr * min(1, step / 20, 1.05 - step / steps)  # warm-up, then down to 5 %
            loss = self._loss(scheduler, lessons, step - 1)
            optimiser.zero_grad()
            scaler.scale(loss).backward()
            scaler.unscale_(optimiser)
            nn.utils.clip_grad_norm_(parts["adapter"].parameters(), 1.0)
            scaler.step(optimiser)
            scaler.update()
            self.log_losses(step, steps, self._lr, {"loss": loss})

    def _loss(self, scheduler: Any, lessons: Lessons, step: int) -> torch.Tensor:
        """Mean squared error of what this model predicts: the noise, or the velocity."""
        mean, deviation = lessons.latents[lessons.shown[step]].unbind(1)
        clean = mean + deviation * torch.randn_like(mean)
        noise = torch.randn_like(clean)
        times = torch.randint(scheduler.config.num_train_timesteps, (len(clean),), device=self.device)
        hidden = torch.rand(len(clean), device=self.device) < UNPROMPTED
        told = {
            name: value[torch.where(hidden, -1, lessons.labels[step])] for name, value in lessons.conditions.items()
        }
        prompt = told.pop("prompt_embeds")
        reduced = self._trained_in != torch.float32
        with torch.autocast(self.device.type, self._trained_in if reduced else None, enabled=reduced):
            noisy = scheduler.add_noise(clean, noise, times)
            guess = self._pipeline.unet(noisy, times, prompt, added_cond_kwargs=told or None).sample.float()
        velocity = scheduler.config.prediction_type == "v_prediction"
        return F.mse_loss(guess, scheduler.get_velocity(clean, noise, times) if velocity else noise)

    def _lessons(self) -> Lessons:
        """Draws what will be shown, each class equally often, and encodes only that."""
        kept, shape = self._kept, (self._train_steps, self._train_batch_size)
        rng = np.random.default_rng([self.seed, 1])
        order = np.argsort(kept.labels, kind="stable")
        counts = kept.counts()
        labels = rng.choice(np.flatnonzero(counts), shape)
        rows = order[(np.cumsum(counts) - counts)[labels] + rng.integers(2**31, size=shape) % counts[labels]]
        # Row N + i is the mirror image of row i.
        mirrored = kept.traits.flip * rng.integers(2, size=shape)
        needed, shown = np.unique(rows + len(kept) * mirrored, return_inverse=True)
        return Lessons(
            torch.from_numpy(shown.reshape(shape)).to(self.device),
            torch.from_numpy(labels).to(self.device),
            self._latents(needed),
            self._conditions(rng),
        )

    @torch.inference_mode()
    def _latents(self, rows: np.ndarray) -> torch.Tensor:
        """Those of the kept images `rows`, encoded in single precision: some VAEs overflow in half."""
        vae, found = self._pipeline.vae, []
        dtype = vae.dtype
        vae.float()
        for part in np.array_split(rows, math.ceil(len(rows) / self._batch_size)):
            pixels = self._enlarged(part % len(self._kept))
            mirrored = torch.from_numpy(part >= len(self._kept)).to(self.device)[:, None, None, None]
            posterior = vae.encode(torch.where(mirrored, pixels.flip(-1), pixels) * 2 - 1).latent_dist
            found.append(torch.stack([posterior.mean, posterior.std], 1) * vae.config.scaling_factor)
        vae.to(dtype)
        return torch.cat(found)

    def _conditions(self, rng: np.random.Generator) -> dict[str, torch.Tensor]:
        """The prompts of the classes and, as sampling has it, of none."""
        plain = self._prompts.without_words(self._kept.traits.prompt)
        encoded = self._encode(prompts := [plain.draw(name, 1, rng)[0] for name in self._kept.class_names], negative="")

        def rows(name: str) -> torch.Tensor:
            none = encoded[prompts[0]][f"negative_{name}"]
            return torch.stack([*(encoded[prompt][name] for prompt in prompts), none])

        told = {"prompt_embeds": rows("prompt_embeds")}
        if "pooled_prompt_embeds" in encoded[prompts[0]]:  # SDXL: and the size that the image had, and its crop
            size = torch.tensor([*self._size, 0, 0, *self._size], device=self.device)
            told |= {"text_embeds": rows("pooled_prompt_embeds"), "time_ids": size.repeat(len(prompts) + 1, 1)}
        return {name: value.clone() for name, value in told.items()}

    def save(self, folder: Path) -> None:
        """Writes the prompts, and the adapter's weights as diffusers' `load_lora_weights` takes them."""
        super().save(folder)
        self._pipeline.save_lora_weights(folder, unet_lora_layers=self._weights, weight_name=WEIGHTS)


def _add_adapter(unet: Any, rank: int) -> list[nn.Parameter]:
    """Adds LoRA to the layers that are named `ADAPTED`; its parameters are in single precision."""
    from diffusers.training_utils import cast_training_params
    from peft import LoraConfig

    unet.requires_grad_(False)
    # The second factor starts at zero: at first the adapted model is the pretrained one.
    unet.add_adapter(LoraConfig(r=rank, lora_alpha=rank, target_modules=list(ADAPTED)))
    cast_training_params(unet, torch.float32)
    return [parameter for parameter in unet.parameters() if parameter.requires_grad]


def _cast_frozen(unet: Any, dtype: torch.dtype) -> None:
    for parameter in unet.parameters():
        if not parameter.requires_grad:
            parameter.data = parameter.data.to(dtype)
