"""Tiny pipelines of every family with random weights, as folders; and digits to feed them with."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import torch
from diffusers import (
    AutoencoderKL,
    DDIMScheduler,
    EulerDiscreteScheduler,
    LCMScheduler,
    StableDiffusionPipeline,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from diffusers.pipelines.stable_diffusion import StableDiffusionSafetyChecker
from safetensors.torch import save_file
from transformers import (
    CLIPConfig,
    CLIPImageProcessor,
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    CLIPTokenizer,
)

from fillbench.datasets.base import DataSet
from fillbench.datasets.images import toy
from fillbench.generators import create
from fillbench.generators.embedded import MODEL

WIDTH = 16


def data(shape=(8, 8, 1), counts=(6, 4, 3), names=("0", "1", "2"), **traits) -> DataSet:
    """Toy images under digits' names, which the embedded model knows."""
    return toy(shape, counts, names, **{"prompt": "a digit {name}", **traits})


def _text_config() -> CLIPTextConfig:
    tokenizer = CLIPTokenizer.from_pretrained(MODEL / "tokenizer")
    return CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=WIDTH,
        intermediate_size=WIDTH,
        num_hidden_layers=1,
        num_attention_heads=2,
        max_position_embeddings=32,
        projection_dim=WIDTH,
        eos_token_id=tokenizer.eos_token_id,
    )


def _networks(cross: int, layers: int = 1, **unet) -> dict:
    return {
        "vae": AutoencoderKL(
            down_block_types=("DownEncoderBlock2D",) * 2,
            up_block_types=("UpDecoderBlock2D",) * 2,
            block_out_channels=(4, 4),
            norm_num_groups=2,
            latent_channels=4,
        ),
        "unet": UNet2DConditionModel(
            sample_size=8,
            block_out_channels=(8, 16),
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
            layers_per_block=layers,
            cross_attention_dim=cross,
            attention_head_dim=2,
            norm_num_groups=4,
            **unet,
        ),
    }


def make(kind: str, folder: Path) -> Path:
    """The folder of a pipeline: 'sd' (noise prediction, as SD 1.5), 'xl', 'turbo', 'lcm', 'checked', or 'classic'."""
    torch.manual_seed(0)
    tokenizer = CLIPTokenizer.from_pretrained(MODEL / "tokenizer")
    betas = {"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012}
    if kind == "xl":
        added = {
            "addition_embed_type": "text_time",
            "addition_time_embed_dim": 4,
            "projection_class_embeddings_input_dim": 6 * 4 + WIDTH,
        }
        pipeline = StableDiffusionXLPipeline(
            **_networks(2 * WIDTH, **added),
            text_encoder=CLIPTextModel(_text_config()),
            text_encoder_2=CLIPTextModelWithProjection(_text_config()),
            tokenizer=tokenizer,
            tokenizer_2=tokenizer,
            scheduler=EulerDiscreteScheduler(**betas),
        )
    else:
        scheduler = {
            "turbo": EulerDiscreteScheduler(**betas, timestep_spacing="trailing"),
            "lcm": LCMScheduler(**betas),
        }.get(kind, DDIMScheduler(**betas, clip_sample=False, steps_offset=1))
        checker = CLIPConfig(
            text_config=_text_config().to_dict(),
            vision_config={
                "hidden_size": 8,
                "intermediate_size": 8,
                "num_hidden_layers": 1,
                "num_attention_heads": 2,
                "image_size": 32,
                "patch_size": 16,
                "projection_dim": WIDTH,
            },
            projection_dim=WIDTH,
        )
        checked = kind == "checked"
        pipeline = StableDiffusionPipeline(
            **_networks(
                WIDTH, **({"time_cond_proj_dim": 8} if kind == "lcm" else {"layers": 2} if kind == "classic" else {})
            ),
            text_encoder=CLIPTextModel(_text_config()),
            tokenizer=tokenizer,
            scheduler=scheduler,
            safety_checker=StableDiffusionSafetyChecker(checker) if checked else None,
            feature_extractor=CLIPImageProcessor(size={"shortest_edge": 32}, crop_size=32) if checked else None,
            requires_safety_checker=checked,
        )
    pipeline.save_pretrained(folder)
    return folder


def copy_of(folder: Path, to: Path) -> Path:
    """A copy to be harmed."""
    return Path(shutil.copytree(folder, to))


RESNET = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "time_emb_proj": "emb_layers.1",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "conv_shortcut": "skip_connection",
}
UNET = {
    "conv_in": "input_blocks.0.0",
    "time_embedding.linear_1": "time_embed.0",
    "time_embedding.linear_2": "time_embed.2",
    "conv_norm_out": "out.0",
    "conv_out": "out.2",
    "mid_block.resnets.0": "middle_block.0",
    "mid_block.attentions.0": "middle_block.1",
    "mid_block.resnets.1": "middle_block.2",
}
ATTENTION = {"group_norm": "norm", "to_q": "q", "to_k": "k", "to_v": "v", "to_out.0": "proj_out"}


def _unet_name(name: str, layers: int) -> str:
    """The name of a UNet's weight in the original Stable Diffusion code."""
    for ours, theirs in UNET.items():
        name = re.sub(rf"^{re.escape(ours)}\.", f"{theirs}.", name)
    if found := re.match(r"(down|up)_blocks\.(\d+)\.(resnets|attentions|downsamplers|upsamplers)\.(\d+)\.(.*)", name):
        way, block, kind, layer, rest = found.groups()
        down = way == "down"
        index = int(block) * (layers + 1) + int(layer) + down
        place = {"resnets": "0", "attentions": "1"}.get(kind)
        if kind == "downsamplers":
            index, place, rest = int(block) * (layers + 1) + layers + 1, "0", rest.replace("conv", "op")
        elif kind == "upsamplers":
            index, place = int(block) * (layers + 1) + layers, "2"
        name = f"{'input' if down else 'output'}_blocks.{index}.{place}.{rest}"
    for ours, theirs in RESNET.items():
        name = re.sub(rf"(blocks\.\d+\.0|middle_block\.[02])\.{ours}\.", rf"\1.{theirs}.", name)
    return f"model.diffusion_model.{name}"


def _vae_name(name: str, blocks: int) -> str:
    name = re.sub(r"encoder\.down_blocks\.(\d+)\.resnets\.", r"encoder.down.\1.block.", name)
    name = re.sub(r"encoder\.down_blocks\.(\d+)\.downsamplers\.0", r"encoder.down.\1.downsample", name)
    name = re.sub(
        r"decoder\.up_blocks\.(\d+)\.(resnets|upsamplers\.0)",
        lambda m: f"decoder.up.{blocks - 1 - int(m[1])}.{'block' if m[2] == 'resnets' else 'upsample'}",
        name,
    )
    name = re.sub(r"mid_block\.resnets\.(\d)", lambda m: f"mid.block_{int(m[1]) + 1}", name)
    if "mid_block.attentions.0" in name:
        name = name.replace("mid_block.attentions.0", "mid.attn_1")
        for ours, theirs in ATTENTION.items():
            name = name.replace(f".{ours}.", f".{theirs}.")
    name = name.replace("conv_norm_out", "norm_out").replace("conv_shortcut", "nin_shortcut")
    return f"first_stage_model.{name}"


def single_file(folder: Path, path: Path) -> Path:
    """The weights of a pipeline's folder in one .safetensors file, under the names of the original code."""
    pipeline = StableDiffusionPipeline.from_pretrained(folder)
    weights = {_unet_name(name, 2): value for name, value in pipeline.unet.state_dict().items()}
    for name, value in pipeline.vae.state_dict().items():
        convolution = ".attentions." in name and value.ndim == 2
        weights[_vae_name(name, 2)] = value[:, :, None, None] if convolution else value
    for name, value in pipeline.text_encoder.state_dict().items():
        prefix = "" if name.startswith("text_model.") else "text_model."
        weights[f"cond_stage_model.transformer.{prefix}{name}"] = value
    save_file({name: value.clone().contiguous() for name, value in weights.items()}, path)
    return path


def fitted(model="auto", train=None, wanted=None, seed=0, workdir=None, **settings):
    chosen = {"model": str(model), "steps": 2, "batch_size": 4, **settings}
    generator = create("stable-diffusion", random_state=seed, device="cpu", **chosen)
    generator.workdir = workdir
    return generator.fit(data() if train is None else train, wanted or {2: 5})


def spied(generator, answer=None):
    """The keywords of every call of the pipeline."""
    calls, pipeline = [], generator._pipeline

    class Spy(type(pipeline)):
        def __call__(self, **keywords):
            calls.append(keywords)
            return answer(keywords) if answer else super().__call__(**keywords)

    pipeline.__class__ = Spy
    return calls
