"""Trains the embedded model on MNIST's training images, measures it, and writes it with its card.

    python -m fillbench.generators.embedded.train --data-dir DIR --out DIR

takes about an hour on 2 CPU cores. It is latent diffusion (Rombach et al. 2022, https://arxiv.org/abs/2112.10752) as
Stable Diffusion is built: a VAE first, then a UNet in its latent space together with the text encoder that it heeds.
Nothing is trained on MNIST's test images; they tell how good the classifier is that measures the prompts.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch
from diffusers import (
    AutoencoderKL,
    DDPMScheduler,
    DPMSolverMultistepScheduler,
    StableDiffusionPipeline,
    UNet2DConditionModel,
)
from diffusers.training_utils import EMAModel
from torch import nn
from torch.nn import functional as F
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from ...compute import native_bfloat16, seeded
from ...datasets import DataSet, Split, load
from . import GUIDANCE, card

SIDE = 32
WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
CAPTIONS = (
    "a handwritten digit {}",
    "a handwritten digit {}",  # twice: what the benchmark asks for
    "the handwritten digit {}",
    "a digit {}",
    "a handwritten {}",
    "a photo of a {}",
    "the number {}",
    "{}",
)
CLOSE_UP = "a close-up of "
TOKENS = 32
VAE_BATCH, UNET_BATCH = 64, 128
MEASURED = 200  # images for each prompt
NO_CAPTION = 0.1  # share of images shown without caption, for classifier-free guidance (Ho & Salimans 2022)


def frames(images: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
    """MNIST's images (N, 28, 28, 1) as the model sees them, (N, 1, 32, 32) in [-1, 1]: whole, and close up.

    Close up the digit fills the frame, as it does in many other sets of digits.
    """
    pixels = torch.from_numpy(images[..., 0]).float()
    close = torch.stack([_cropped(image) for image in pixels])
    return _sized(pixels[:, None]), close


def _cropped(image: torch.Tensor) -> torch.Tensor:
    """The square around the ink of (28, 28), as (1, 32, 32)."""
    rows, columns = (torch.nonzero(image.amax(dim) > 0).flatten() for dim in (1, 0))
    top, left = int(rows[0]), int(columns[0])
    height, width = int(rows[-1]) + 1 - top, int(columns[-1]) + 1 - left
    side = max(height, width)
    square = image.new_zeros(side, side)
    down, right = (side - height) // 2, (side - width) // 2
    square[down : down + height, right : right + width] = image[top : top + height, left : left + width]
    return _sized(square[None, None])[0]


def _sized(pixels: torch.Tensor) -> torch.Tensor:
    resized = F.interpolate(pixels, (SIDE, SIDE), mode="bicubic", antialias=True)
    return resized.clamp(0, 255) / 127.5 - 1


def batches(count: int, size: int, steps: int) -> Iterator[torch.Tensor]:
    """`steps` batches of indices, epoch after epoch in a new order."""
    orders = (torch.randperm(count).split(size) for _ in itertools.count())
    full = (batch for order in orders for batch in order if len(batch) == size)
    return itertools.islice(full, steps)


class Log:
    """Prints how training goes, and keeps the loss of each stage as the card's figures."""

    def __init__(self) -> None:
        self.start = time.monotonic()
        self.losses: dict[str, list[tuple[int, float]]] = {}
        self._sums: dict[str, float] = {}

    def __call__(self, stage: str, step: int, steps: int, loss: torch.Tensor, every: int = 100) -> None:
        self._sums[stage] = self._sums.get(stage, 0.0) + float(loss.detach())
        if step % every == 0:
            mean = self._sums.pop(stage) / every
            self.losses.setdefault(stage, []).append((step, round(mean, 5)))
            click.echo(f"{time.monotonic() - self.start:6.0f} s  {stage} {step}/{steps}  loss {mean:.4f}")


def train_vae(whole: torch.Tensor, close: torch.Tensor, steps: int, log: Log) -> AutoencoderKL:
    """The autoencoder: 3x32x32 to 4x8x8 and back. It sees blurred images too, as small ones look when enlarged."""
    vae = AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 3,
        up_block_types=("UpDecoderBlock2D",) * 3,
        block_out_channels=(16, 32, 64),
        layers_per_block=1,
        latent_channels=4,
        norm_num_groups=8,
        sample_size=SIDE,
        mid_block_add_attention=False,
    )
    vae.to(memory_format=torch.channels_last)
    images = torch.cat([whole, close])
    optimiser = torch.optim.AdamW(vae.parameters(), lr=2e-3, weight_decay=0.0, fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 2e-3, total_steps=steps)
    for step, batch in enumerate(batches(len(images), VAE_BATCH, steps), 1):
        pixels = images[batch]
        if step % 4 == 0:
            side = int(torch.randint(8, SIDE, (1,)))
            small = F.interpolate(pixels, (side, side), mode="area")
            pixels = F.interpolate(small, (SIDE, SIDE), mode="bicubic").clamp(-1, 1)
        pixels = pixels.repeat(1, 3, 1, 1).contiguous(memory_format=torch.channels_last)
        with _fast():
            posterior = vae.encode(pixels).latent_dist
            restored = vae.decode(posterior.sample()).sample.float()
        loss = F.mse_loss(restored, pixels) + F.l1_loss(restored, pixels) / 4
        total = loss + 1e-5 * posterior.kl().float().mean()
        optimiser.zero_grad()
        total.backward()
        nn.utils.clip_grad_norm_(vae.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        log("vae", step, steps, loss)
    return vae.eval()


@torch.inference_mode()
def encode(vae: AutoencoderKL, images: torch.Tensor) -> torch.Tensor:
    """The latents' means, (N, 4, 8, 8), unscaled."""
    parts = []
    for part in images.split(500):
        with _fast():
            parts.append(vae.encode(part.repeat(1, 3, 1, 1)).latent_dist.mean.float())
    return torch.cat(parts)


def captions() -> list[list[str]]:
    """All captions of each digit, (10, C); the second half is of close-ups."""
    return [
        [
            prefix + text.format(name)
            for prefix in ("", CLOSE_UP)
            for text in CAPTIONS
            for name in (str(digit), WORDS[digit])
        ]
        for digit in range(10)
    ]


def make_tokenizer(folder: Path) -> CLIPTokenizer:
    """CLIP's kind of tokenizer (byte-level BPE) over the captions' words; what it does not know it spells."""
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    start, end = "<|startoftext|>", "<|endoftext|>"
    tokenizer = Tokenizer(models.BPE(unk_token=end, end_of_word_suffix="</w>", continuing_subword_prefix=""))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.ByteLevel(False)]
    )
    trainer = trainers.BpeTrainer(vocab_size=2000, end_of_word_suffix="</w>", show_progress=False)
    words = sorted({word for texts in captions() for text in texts for word in text.split()})
    tokenizer.train_from_iterator([" ".join(words)] * 3, trainer)
    merges = [tuple(pair) for pair in json.loads(tokenizer.to_str())["model"]["merges"]]
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    entries = [*alphabet, *(f"{byte}</w>" for byte in alphabet), *("".join(pair) for pair in merges), start, end]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.json").write_text(json.dumps({entry: index for index, entry in enumerate(entries)}))
    (folder / "merges.txt").write_text("#version: 0.2\n" + "".join(f"{a} {b}\n" for a, b in merges))
    config = {"tokenizer_class": "CLIPTokenizer", "model_max_length": TOKENS, "do_lower_case": True}
    special = {"bos_token": start, "eos_token": end, "unk_token": end, "pad_token": end}
    (folder / "tokenizer_config.json").write_text(json.dumps({**config, **special}, indent=1))
    (folder / "special_tokens_map.json").write_text(json.dumps(special, indent=1))
    return CLIPTokenizer.from_pretrained(folder)


def make_denoiser(tokenizer: CLIPTokenizer) -> tuple[UNet2DConditionModel, CLIPTextModel]:
    """UNet and text encoder, untrained."""
    width = 96
    unet = UNet2DConditionModel(
        sample_size=SIDE // 4,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        block_out_channels=(64, 128),
        layers_per_block=1,
        cross_attention_dim=width,
        attention_head_dim=4,  # the number of heads, for historical reasons
        norm_num_groups=16,
    )
    text_encoder = CLIPTextModel(
        CLIPTextConfig(
            vocab_size=len(tokenizer),
            hidden_size=width,
            intermediate_size=2 * width,
            num_hidden_layers=2,
            num_attention_heads=4,
            max_position_embeddings=TOKENS,
            projection_dim=width,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )
    return unet, text_encoder


def make_scheduler() -> DDPMScheduler:
    """Stable Diffusion's noise schedule, with the velocity as the target (Salimans & Ho 2022)."""
    return DDPMScheduler(
        beta_schedule="scaled_linear",
        beta_start=0.00085,
        beta_end=0.012,
        prediction_type="v_prediction",
        clip_sample=False,
        steps_offset=1,
    )


def train_denoiser(
    latents: torch.Tensor,
    labels: torch.Tensor,
    tokenizer: CLIPTokenizer,
    scheduler: DDPMScheduler,
    steps: int,
    log: Log,
) -> tuple[UNet2DConditionModel, CLIPTextModel]:
    """UNet and text encoder, with averaged weights; `latents` holds the whole images, then the close-ups, scaled."""
    unet, text_encoder = make_denoiser(tokenizer)
    texts = [text for digit in captions() for text in digit]
    tokens = tokenizer([*texts, ""], padding="max_length", max_length=TOKENS, return_tensors="pt").input_ids
    kinds = len(captions()[0]) // 2
    parameters = [*unet.parameters(), *text_encoder.parameters()]
    optimiser = torch.optim.AdamW(parameters, lr=1e-3, weight_decay=0.01, fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 1e-3, total_steps=steps, pct_start=0.05)
    averages = [EMAModel(model.parameters(), decay=0.998, use_ema_warmup=True) for model in (unet, text_encoder)]
    for step, batch in enumerate(batches(len(latents), UNET_BATCH, steps), 1):
        clean, noise = latents[batch], torch.randn(UNET_BATCH, *latents.shape[1:])
        times = torch.randint(scheduler.config.num_train_timesteps, (UNET_BATCH,))
        digit, close = labels[batch % len(labels)], batch >= len(labels)
        row = digit * 2 * kinds + close * kinds + torch.randint(kinds, (UNET_BATCH,))
        row[torch.rand(UNET_BATCH) < NO_CAPTION] = len(texts)
        used, where = row.unique(return_inverse=True)
        with _fast():
            text = text_encoder(tokens[used])[0][where]
            guess = unet(scheduler.add_noise(clean, noise, times), times, text).sample.float()
        loss = F.mse_loss(guess, scheduler.get_velocity(clean, noise, times))
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimiser.step()
        schedule.step()
        for average, model in zip(averages, (unet, text_encoder), strict=True):
            average.step(model.parameters())
        log("unet", step, steps, loss)
    for average, model in zip(averages, (unet, text_encoder), strict=True):
        average.copy_to(model.parameters())
    return unet.eval(), text_encoder.eval()


def _fast() -> torch.autocast:
    return torch.autocast("cpu", torch.bfloat16, enabled=native_bfloat16(torch.device("cpu")))


def recogniser(train: DataSet, epochs: int = 3) -> nn.Module:
    """A plain convolutional classifier of MNIST, (N, 1, 28, 28) in [0, 1] to (N, 10) logits."""
    layers: list[nn.Module] = []
    for before, after in itertools.pairwise((1, 32, 64, 128)):
        layers += [nn.Conv2d(before, after, 3, padding=1), nn.BatchNorm2d(after), nn.ReLU(), nn.MaxPool2d(2)]
    model = nn.Sequential(*layers, nn.Flatten(), nn.Dropout(0.3), nn.Linear(128 * 9, 10))
    images = torch.from_numpy(train.x[..., 0]).float()[:, None] / 255
    labels = torch.from_numpy(train.labels)
    optimiser = torch.optim.AdamW(model.parameters(), lr=2e-3, fused=True)
    steps = epochs * (len(labels) // 128)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 2e-3, total_steps=steps)
    for batch in batches(len(labels), 128, steps):
        with _fast():
            loss = F.cross_entropy(model(images[batch]).float(), labels[batch])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    return model.eval()


def recognised(model: nn.Module, images: np.ndarray, digit: int) -> float:
    """The share of images (N, 28, 28) uint8 in which `model` sees `digit`."""
    with torch.inference_mode():
        found = model(torch.from_numpy(images).float()[:, None] / 255).argmax(1)
    return float((found == digit).float().mean())


def draw(pipeline: StableDiffusionPipeline, prompt: str, count: int, seed: int) -> np.ndarray:
    """`count` grey images for a prompt at 20 steps of DPM-Solver++, (count, 32, 32) in 0..1."""
    images = pipeline(
        [prompt] * count,
        num_inference_steps=20,
        guidance_scale=GUIDANCE,
        output_type="np",
        generator=torch.Generator().manual_seed(seed),
    ).images
    return images.mean(-1)


def measure(folder: Path, data: Split) -> tuple[dict[str, Any], np.ndarray]:
    """How well each prompt works, as `recognised`; and samples for the card, (10, 12, 32, 32)."""
    pipeline = StableDiffusionPipeline.from_pretrained(folder)
    pipeline.set_progress_bar_config(disable=True)
    model = recogniser(data.train)
    test = np.split(
        data.test.x[np.argsort(data.test.labels, kind="stable"), :, :, 0], np.cumsum(data.test.counts())[:-1]
    )
    right = sum(recognised(model, images, digit) * len(images) for digit, images in enumerate(test))
    shares, grid = {}, []
    for digit in range(10):
        wide = draw(pipeline, f"a handwritten digit {digit}", MEASURED, digit)
        near = draw(pipeline, f"{CLOSE_UP}a handwritten digit {digit}", 6, digit)
        small = F.interpolate(torch.from_numpy(wide)[:, None].float(), (28, 28), mode="bicubic", antialias=True)
        shares[str(digit)] = recognised(model, small[:, 0].mul(255).round().clamp(0, 255).byte().numpy(), digit)
        grid.append(np.concatenate([wide[:6], near]))
    found = {"recognised": shares, "count": MEASURED, "guidance": GUIDANCE, "accuracy": right / len(data.test)}
    return found, np.stack(grid)


def save(folder: Path, **parts: Any) -> None:
    """Writes the pipeline in half precision; it loads in single precision unless asked otherwise."""
    parts["scheduler"] = DPMSolverMultistepScheduler.from_config(parts["scheduler"].config)
    pipeline = StableDiffusionPipeline(
        **parts, safety_checker=None, feature_extractor=None, requires_safety_checker=False
    )
    pipeline.to(torch.float16).save_pretrained(folder)
    path = folder / "text_encoder" / "config.json"
    # transformers would load it as it was stored, and single precision latents then meet half precision prompts.
    path.write_text(
        json.dumps({**json.loads(path.read_text()), "dtype": "float32", "torch_dtype": "float32"}, indent=2)
    )


@click.command()
@click.option("--data-dir", type=Path, required=True, help="A folder with MNIST/raw, or where to download it to.")
@click.option("--out", type=Path, required=True, help="Where the model goes.")
@click.option("--vae-steps", default=1500, show_default=True)
@click.option("--steps", default=4000, show_default=True, help="Of the UNet and the text encoder.")
@click.option("--measure-only", is_flag=True, help="Only measure the model in --out, and write its card again.")
def main(data_dir: Path, out: Path, vae_steps: int, steps: int, measure_only: bool) -> None:
    """Trains the embedded model on MNIST's training images."""
    data = load("mnist", data_dir)
    with seeded(0):
        record = (
            json.loads((out / "training.json").read_text()) if measure_only else run(data.train, out, vae_steps, steps)
        )
        found, grid = measure(out, data)
    record |= found
    (out / "training.json").write_text(json.dumps(record))
    card.write(out, record, grid)


def run(train: DataSet, out: Path, vae_steps: int, steps: int) -> dict[str, Any]:
    """Trains and saves the model; returns the record of it."""
    log = Log()
    whole, close = frames(train.x)
    vae = train_vae(whole, close, vae_steps, log)
    latents = torch.cat([encode(vae, whole), encode(vae, close)])
    vae.register_to_config(scaling_factor=float(1 / latents.std()))
    tokenizer, scheduler = make_tokenizer(out / "tokenizer"), make_scheduler()
    scaled = latents * vae.config.scaling_factor
    unet, text_encoder = train_denoiser(scaled, torch.from_numpy(train.labels), tokenizer, scheduler, steps, log)
    minutes = (time.monotonic() - log.start) / 60
    save(out, vae=vae, unet=unet, text_encoder=text_encoder, tokenizer=tokenizer, scheduler=scheduler)
    return {
        "data": "mnist, training part",
        "images": len(train),
        "images_sha256": hashlib.sha256(train.x.tobytes()).hexdigest(),
        "minutes": round(minutes, 1),
        "threads": torch.get_num_threads(),
        "vae_steps": vae_steps,
        "vae_batch": VAE_BATCH,
        "unet_steps": steps,
        "unet_batch": UNET_BATCH,
        "losses": log.losses,
    }


if __name__ == "__main__":
    main()
