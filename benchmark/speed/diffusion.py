"""Stable Diffusion's sampling, against the loop that one writes first.

Both make images of the same weights, steps and size on the same device; loading is not counted. The plain loop calls
the pipeline for one prompt at a time in single precision, with its defaults. 'sd15' has the architecture of Stable
Diffusion 1.5 with random weights, which take as long as real ones.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from ...datasets import DataSet, ImageTraits
from ...generators import create
from ...generators.embedded import MODEL
from .turns import in_turns

STEPS = 20
PROMPT = "a handwritten digit {name}"


def random_sd15(folder: Path) -> Path:
    """A pipeline with the shapes of Stable Diffusion 1.5, and the embedded model's tokenizer."""
    from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

    blocks = 4
    vae = AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * blocks,
        up_block_types=("UpDecoderBlock2D",) * blocks,
        block_out_channels=(128, 256, 512, 512),
        layers_per_block=2,
        sample_size=512,
    )
    text = CLIPTextConfig(hidden_size=768, intermediate_size=3072, num_hidden_layers=12, num_attention_heads=12)
    StableDiffusionPipeline(
        vae=vae,
        text_encoder=CLIPTextModel(text),
        tokenizer=CLIPTokenizer.from_pretrained(MODEL / "tokenizer", model_max_length=77),
        unet=UNet2DConditionModel(sample_size=64, cross_attention_dim=768),
        # SD 1.5's own, PNDM, would take one step more than it is asked for.
        scheduler=DDIMScheduler(
            beta_schedule="scaled_linear", beta_start=0.00085, beta_end=0.012, clip_sample=False, steps_offset=1
        ),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    ).save_pretrained(folder)
    return folder


class Plain:
    """The loop that one writes first; images end as uint8 in the data's size."""

    def __init__(self, folder: Path, device: torch.device) -> None:
        from diffusers import StableDiffusionPipeline

        self.pipeline = StableDiffusionPipeline.from_pretrained(folder, dtype=torch.float32).to(device)
        self.pipeline.set_progress_bar_config(disable=True)

    def __call__(self, count: int, size: int) -> np.ndarray:
        made = []
        for _ in range(count):
            image = self.pipeline(PROMPT.format(name=3), num_inference_steps=STEPS).images[0]
            made.append(np.asarray(image.convert("L").resize((size, size), Image.Resampling.LANCZOS)))
        return np.stack(made)


def measure(model: str, device: torch.device, plain_images: int, images: int) -> dict[str, Any]:
    """Images per second of both ways with the embedded model, or one like SD 1.5."""
    with tempfile.TemporaryDirectory() as folder:
        where = MODEL if model == "embedded" else random_sd15(Path(folder))
        return {"model": model, **_measure(where, device, plain_images, images)}


def _measure(folder: Path, device: torch.device, plain_images: int, images: int) -> dict[str, Any]:
    train = DataSet(np.zeros((1, 28, 28, 1), np.uint8), np.zeros(1, np.int64), ("3",), ImageTraits(PROMPT))
    plain = Plain(folder, device)
    ours = create("stable-diffusion", random_state=0, device=str(device), model=str(folder), steps=STEPS)
    ours.fit(train, {0: images})
    found = in_turns(
        {
            "plain": lambda: _rate(plain_images, lambda: plain(plain_images, 28)),
            "fillbench": lambda: _rate(images, lambda: ours.sample(0, images)),
        }
    )
    return {
        **found,
        "steps": STEPS,
        "images_a_round": {"plain": plain_images, "fillbench": images},
        "batch_size": ours.facts["batch_size"],
        "resolution": ours.facts["resolution"],
    }


def _rate(count: int, call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return count / (time.perf_counter() - start)
