"""How a pretrained diffusion model is best sampled: its scheduler, and the size of its images."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from ..errors import FillbenchError
from .embedded import GUIDANCE
from .pretrained import EMBEDDED

NATIVE = 64  # side of the latents, where a model does not tell it


@dataclass(frozen=True)
class SamplerDefaults:
    """What a model is best sampled with: a scheduler (None: its own), a number of steps, a guidance scale."""

    scheduler: str | None
    steps: int
    guidance: float

    @classmethod
    def of(cls, pipeline: Any, model: str) -> SamplerDefaults:
        """By what the pipeline's own parts tell of how it was trained."""
        config = pipeline.scheduler.config
        if pipeline.unet.config.get("time_cond_proj_dim"):
            return cls("lcm", 4, 8.0)  # latent consistency (Luo et al. 2023), told the guidance scale as an input
        if "LCM" in type(pipeline.scheduler).__name__:
            return cls("lcm", 4, 1.5)  # the same, merged from an adapter
        few = config.get("timestep_spacing") == "trailing" and config.get("prediction_type") == "epsilon"
        if few and not config.get("rescale_betas_zero_snr"):
            return cls(None, 4, 0.0)  # adversarially distilled "turbo" models (Sauer et al. 2023) know no guidance
        if model == EMBEDDED:
            return cls("dpm++", 20, GUIDANCE)
        return cls("dpm++", 20, 5.0 if hasattr(pipeline, "text_encoder_2") else 7.5)


def scheduler(name: str, config: Any) -> Any:
    """diffusers' scheduler that a setting names, for a model whose own has `config`."""
    import diffusers

    cls, extra = {
        "dpm++": ("DPMSolverMultistepScheduler", {"algorithm_type": "dpmsolver++"}),
        "ddim": ("DDIMScheduler", {}),
        "euler": ("EulerDiscreteScheduler", {}),
        "unipc": ("UniPCMultistepScheduler", {}),
        "lcm": ("LCMScheduler", {}),
    }[name]
    return getattr(diffusers, cls).from_config(config, **extra)


def image_size(pipeline: Any, shape: tuple[int, ...], resolution: int | None) -> tuple[int, int]:
    """Height and width that a model makes for data of `shape` (H, W, C), in its proportions: as many pixels as it knows
    best, or as a square of side `resolution` has.

    Raises FillbenchError for a resolution that its VAE cannot make.
    """
    factor = pipeline.vae_scale_factor
    native = pipeline.unet.config.sample_size or NATIVE
    side = resolution or (min(native) if isinstance(native, list | tuple) else native) * factor
    if resolution and side % factor:
        below = side // factor * factor
        near = [str(value) for value in (below, below + factor) if value]
        raise FillbenchError(
            f"resolution = {side} will not do: this model's VAE takes multiples of {factor}, "
            f"such as {' or '.join(near)}"
        )
    if not resolution:
        factor *= 2 ** (len(pipeline.unet.config.block_out_channels) - 1)  # the UNet halves the latents too
    ratio = math.sqrt(shape[1] / shape[0])
    tall, wide = (max(factor, round(side * by / factor) * factor) for by in (1 / ratio, ratio))
    return tall, wide
