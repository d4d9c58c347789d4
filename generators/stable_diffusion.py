"""Images from a pretrained Stable Diffusion model, by prompt (Rombach et al. 2022, https://arxiv.org/abs/2112.10752)."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import torch
from pydantic import Field

from ..compute import is_finite, out_of_memory, seeded, settle_precision
from ..datasets.base import DataSet, Images
from ..datasets.imbalance import Indices
from ..disk import write_atomically
from ..errors import CannotFill, FillbenchError
from .base import Generator, register
from .npychunks import Chunks
from .pixels import enlarged, reduced
from .precision import name_of
from .pretrained import choose, identity, lacking, load_pipeline
from .prompts import Prompts, is_file
from .sampling import SamplerDefaults, image_size, scheduler
from .state import State

PIXELS_AT_ONCE = 2**21  # of all images in a batch: 8 of 512x512
LARGEST_BATCH = 64
REFUSED = "refused.txt"
TRIES = 10  # for an image that a safety checker refuses


@dataclass(frozen=True)
class Wanted:
    """What is drawn of class `label`: of each image its prompt, and the kept image that image-to-image starts from;
    and by prompt what the pipeline is told of it."""

    label: int
    prompts: list[str]
    sources: Indices
    embedded: dict[str, dict[str, torch.Tensor]]


@register("stable-diffusion")
class StableDiffusion(Generator):
    """Pretrained Stable Diffusion, zero-shot: a prompt names the class (Rombach 2022)"""

    external_data = True
    keeps_examples = True  # image-to-image starts from them

    @dataclass(frozen=True)
    class Config:
        """`model`: a folder, a .safetensors file, or a hub id; 'auto' is 'embedded' for grey digits, else SD 1.5.

        `prompt`: a template with the field {name}, or FILE.yaml of templates and word lists; 'auto' is the data set's.
        `strength`: of image-to-image, how much of the kept image may change. `config`: a folder with the configuration
        of a single-file model. `steps`, `guidance`, `resolution`, `batch_size` left out are the model's best.
        """

        model: str = "auto"
        config: str = ""
        prompt: str = "auto"
        negative_prompt: str = ""
        mode: Literal["text-to-image", "image-to-image"] = "text-to-image"
        strength: Annotated[float, Field(gt=0, le=1)] = 0.6
        scheduler: Literal["auto", "dpm++", "ddim", "euler", "unipc", "lcm", "own"] = "auto"
        steps: Annotated[int, Field(gt=0)] | None = None
        guidance: Annotated[float, Field(ge=0)] | None = None
        resolution: Annotated[int, Field(gt=0)] | None = None
        batch_size: Annotated[int, Field(gt=0)] | None = None
        precision: Literal["auto", "float32", "float16", "bfloat16"] = "auto"
        safety_checker: bool = True
        compile: bool = False

    @classmethod
    def settle(cls, config: Any, train: DataSet) -> Any:
        """Chooses the model by the data where it is 'auto'."""
        return replace(config, model=choose(config.model, f"{train.traits.prompt} {config.prompt}", train))

    def available(self) -> str | None:
        """Says so when the model is not to be had. Raises FillbenchError for prompts that will not do."""
        if self.config.prompt != "auto":
            Prompts.read(self.config.prompt)
        return lacking(self.config.model)

    def inputs(self) -> str:
        """The hashes of the model and of files of prompts and configuration."""
        files = [self.config.prompt] if is_file(self.config.prompt) else []
        files += [self.config.config] if self.config.config else []
        return "-".join(map(identity, [self.config.model, *files]))

    def _fit(self, train: DataSet, labels: tuple[int, ...]) -> None:
        lone = [train.class_names[label] for label in labels if not len(self._sources(train, label))]
        if self.config.mode == "image-to-image" and lone:
            raise CannotFill(f"no images to start from in class {', '.join(lone)}")
        self._open(train)
        self._adapt()
        self._compile()

    def _sources(self, train: DataSet, label: int) -> Indices:
        """The kept images that image-to-image starts from for a class."""
        return np.flatnonzero(train.labels == label)

    @property
    def _strengths(self) -> tuple[float, ...]:
        """Of image-to-image."""
        return (self.config.strength,)

    def _state(self) -> State:
        return {}  # the model is loaded again

    def _restore(self, train: DataSet, state: State) -> None:
        self._open(train)
        self._compile()

    def _open(self, train: DataSet) -> None:
        """Loads the model, and sets up all that does not depend on a training."""
        self._model = self.settle(self.config, train).model
        if reason := lacking(self._model):
            raise CannotFill(f"{self.name}: {reason}")
        self._prompts = Prompts.read(train.traits.prompt if self.config.prompt == "auto" else self.config.prompt)
        self._prompts.require(train.class_names)
        self._kept = train
        self._drawn: dict[int, list[str]] = {}
        self._refused = self._read_refused()
        self._load(self._weights_type())
        if self.config.precision == "auto" and not self._settle_sampling():
            self._load(torch.float32)

    def _load(self, dtype: torch.dtype) -> None:
        """The pipeline with weights of this type, set up for sampling."""
        self._pipeline = load_pipeline(self._model, self.config.config, self.config.safety_checker, dtype, self.device)
        self._loaded_in = self._precision = dtype
        self._set_up_sampling()

    def _settle_sampling(self) -> bool:
        """Tries one step of one image in the precision that is meant to be used; whether the weights can stay.

        Weights in half precision must give numbers. On a CPU bfloat16 must give about what float32 does, or is left.
        """
        names = self._kept.class_names
        prompts = self._prompts.draw(names[0], 1, np.random.default_rng(self.seed))

        def run(dtype: torch.dtype) -> tuple[torch.Tensor, Sequence[torch.Tensor]]:
            self._precision = dtype
            with seeded(self.seed):
                embedded = self._encode(prompts, self.config.negative_prompt)
                first = Wanted(0, prompts, np.zeros(1, np.int64), embedded)
                output = self._run(first, 0, [0], callback_on_step_end=_stop)
            pixels = output.images.float() * 2 - 1
            return pixels.sum(), [pixels]

        if self._precision != torch.float32:
            return is_finite(*run(self._precision))
        if self.device.type == "cpu":
            self._precision = settle_precision(self.device, run)
            self.facts["precision"] = name_of(self._precision)
        return True

    def _compile(self) -> None:
        if self.config.compile:
            self._pipeline.unet.compile()

    def _adapt(self) -> None:
        """Fits the model to the kept images; zero-shot does not."""

    def _weights_type(self) -> torch.dtype:
        """Half precision on a GPU. On the CPU weights stay as they are, and `_autocast` makes use of its abilities."""
        if self.config.precision == "auto":
            return torch.float16 if self.device.type == "cuda" else torch.float32
        return getattr(torch, self.config.precision)

    def _autocast(self) -> AbstractContextManager[Any]:
        if self._precision == self._loaded_in:
            return nullcontext()
        return torch.autocast(self.device.type, self._precision)

    @contextmanager
    def _exactly(self) -> Iterator[None]:
        """Within it, all is computed in float32."""
        before = self._precision, self._loaded_in
        self._precision = self._loaded_in = torch.float32
        self._pipeline.to(torch.float32)
        try:
            yield
        finally:
            self._precision, self._loaded_in = before
            self._pipeline.to(self._loaded_in)

    def _set_up_sampling(self) -> None:
        """Scheduler, size and number of steps, from the settings or the model."""
        config, pipeline = self.config, self._pipeline
        best = SamplerDefaults.of(pipeline, self._model)
        wanted = (
            best.scheduler if config.scheduler == "auto" else None if config.scheduler == "own" else config.scheduler
        )
        if wanted:
            pipeline.scheduler = scheduler(wanted, pipeline.scheduler.config)
        self._steps = config.steps or best.steps
        self._guidance = best.guidance if config.guidance is None else config.guidance
        try:
            self._size = image_size(pipeline, self._kept.shape, config.resolution)
        except FillbenchError as error:
            raise FillbenchError(f"{self.name}: {error}") from None
        self._batch_size = config.batch_size or min(LARGEST_BATCH, max(1, PIXELS_AT_ONCE // math.prod(self._size)))
        if config.mode == "image-to-image":
            from diffusers import AutoPipelineForImage2Image

            if int(self._steps * min(self._strengths)) < 1:
                least = math.ceil(100 / self._steps) / 100
                raise FillbenchError(
                    f"{self.name}: strength = {min(self._strengths)} of {self._steps} steps leaves none; "
                    f"set a strength of {least:g} or more, or more steps"
                )
            self._pipeline = pipeline = AutoPipelineForImage2Image.from_pipe(pipeline)
            pipeline.set_progress_bar_config(disable=True)
        if self.device.type == "cuda":
            pipeline.unet.to(memory_format=torch.channels_last)
            pipeline.vae.to(memory_format=torch.channels_last)
        self.facts = {
            "model": self._model,
            "scheduler": type(pipeline.scheduler).__name__,
            "steps": self._steps,
            "guidance": self._guidance,
            "resolution": list(self._size),
            "batch_size": self._batch_size,
            "precision": name_of(self._precision),
            "safety_checker": getattr(pipeline, "safety_checker", None) is not None,
            "prompt": list(self._prompts.templates),
        }

    def _sample(self, label: int, count: int) -> Images:
        name = self._kept.class_names[label]
        prompts = self._prompts.draw(name, count, self.rng)
        rows = self._sources(self._kept, label)
        sources = self.rng.choice(rows, count) if len(rows) else np.zeros(count, np.int64)
        wanted = Wanted(label, prompts, sources, self._encode(prompts, self.config.negative_prompt))
        shape = (count, *self._kept.x.shape[1:])
        with Chunks(self.workdir / f"images-{label}.npy" if self.workdir else None, shape) as made:
            self.progress(made.done, count)
            while made.done < count:
                start = made.done // self._batch_size * self._batch_size
                batch = range(start, min(count, start + self._batch_size))
                found = self._batch(wanted, batch)
                if found is not None:
                    images, refusals = found
                    made.write(start, images)
                    self._count_refused(refusals)
                    self.progress(batch.stop, count)
            images = made.images()
        self._drawn[label] = prompts
        if self.facts["safety_checker"]:
            self.facts["refused_by_safety_checker"] = self._refused
        return images

    def _encode(self, prompts: list[str], negative: str) -> dict[str, dict[str, torch.Tensor]]:
        """What the pipeline wants to know of each distinct prompt, by prompt: encoded once, not for every image."""
        names = ("prompt_embeds", "negative_prompt_embeds", "pooled_prompt_embeds", "negative_pooled_prompt_embeds")
        distinct = sorted(set(prompts))
        found: dict[str, dict[str, torch.Tensor]] = {}
        for start in range(0, len(distinct), LARGEST_BATCH):
            part = distinct[start : start + LARGEST_BATCH]
            with torch.inference_mode(), self._autocast():
                encoded = self._pipeline.encode_prompt(
                    part,
                    device=self.device,
                    num_images_per_prompt=1,
                    do_classifier_free_guidance=True,
                    negative_prompt=[negative] * len(part) if negative else None,
                )
            known = {name: tensor for name, tensor in zip(names, encoded, strict=False) if tensor is not None}
            for row, prompt in enumerate(part):
                found[prompt] = {name: tensor[row] for name, tensor in known.items()}
        return found

    def _batch(self, wanted: Wanted, batch: range) -> tuple[Images, int] | None:
        """The images of a batch, in the data's size, and how many were refused before all were there.

        None when it was too large for the memory, and is smaller from now on.
        """
        from accelerate.utils.memory import clear_device_cache

        waiting, made = list(batch), np.empty((len(batch), *self._kept.x.shape[1:]), np.uint8)
        refusals = 0
        for attempt in range(TRIES):
            try:
                images, refused = self._draw(wanted, attempt, waiting)
            except (RuntimeError, MemoryError) as error:
                if not out_of_memory(error):
                    raise
                if self._batch_size == 1:
                    raise FillbenchError(
                        f"{self.name}: too little memory for one image of {self._size[0]}x{self._size[1]}; "
                        f"lower its resolution (--set {self.name}.resolution=…), or take a smaller model"
                    ) from None
                self._batch_size //= 2
                self.facts["batch_size"] = self._batch_size
                clear_device_cache(garbage_collection=True)
                return None
            for index, image, no in zip(waiting, images, refused, strict=True):
                if not no:
                    made[index - batch.start] = image
            waiting = [index for index, no in zip(waiting, refused, strict=True) if no]
            refusals += len(waiting)
            if not waiting:
                return made, refusals
        raise CannotFill(
            f"{self.name}: the model's safety checker refused '{wanted.prompts[waiting[0]]}' {TRIES} times; "
            f"change the prompt, or --set {self.name}.safety_checker=false"
        )

    def _read_refused(self) -> int:
        path = self.workdir / REFUSED if self.workdir else None
        return int(path.read_text()) if path and path.exists() else 0

    def _count_refused(self, count: int) -> None:
        """Adds to the count of refused images, which a kill must not set back."""
        self._refused += count
        if count and self.workdir:
            write_atomically(self.workdir / REFUSED, str(self._refused))

    def _draw(self, wanted: Wanted, attempt: int, indices: list[int]) -> tuple[Images, list[bool]]:
        """Images `indices` of a class, and which of them were refused.

        Where reduced precision overflows they are drawn again in float32, unless that precision was asked for.
        """
        output = self._run(wanted, attempt, indices)
        if not output.images.isfinite().all() and self._precision != torch.float32 and self.config.precision == "auto":
            self.facts["precision"] = f"{name_of(self._precision)}, and float32 where that overflows"
            told = wanted.embedded.items()
            exact = {prompt: {name: one.float() for name, one in known.items()} for prompt, known in told}
            with self._exactly():
                output = self._run(replace(wanted, embedded=exact), attempt, indices)
        refused = getattr(output, "nsfw_content_detected", None) or [False] * len(indices)
        return self._reduced(output.images), list(map(bool, refused))

    def _run(self, wanted: Wanted, attempt: int, indices: list[int], **options: Any) -> Any:
        """What the pipeline gives for images `indices` of a class: `images` (B, 3, H, W) in 0..1.

        Each has a random source of its own, on the CPU: so it depends neither on the batch nor on the device.
        """
        known = [wanted.embedded[wanted.prompts[index]] for index in indices]
        inputs: dict[str, Any] = {name: torch.stack([one[name] for one in known]) for name in known[0]}
        seeds = [np.random.SeedSequence([self.seed, wanted.label, index, attempt]) for index in indices]
        generators = [torch.Generator().manual_seed(int(seed.generate_state(1, np.uint64)[0] >> 1)) for seed in seeds]
        if self.config.mode == "image-to-image":
            inputs |= {"image": self._enlarged(wanted.sources[indices]), "strength": self.config.strength}
        else:
            inputs |= {"height": self._size[0], "width": self._size[1], "latents": self._noise(generators)}
        inputs |= options
        with torch.inference_mode(), self._autocast():
            return self._pipeline(
                **inputs,
                num_inference_steps=self._steps,
                guidance_scale=self._guidance,
                generator=generators,
                output_type="pt",
            )

    def _noise(self, generators: list[torch.Generator]) -> torch.Tensor:
        """What images are made from, (B, c, h, w): drawn in float32, since in half precision some PyTorch (2.11) draws
        other numbers from the same seed."""
        unet, factor = self._pipeline.unet, self._pipeline.vae_scale_factor
        shape = (1, unet.config.in_channels, *(side // factor for side in self._size))
        drawn = torch.cat([torch.randn(shape, generator=generator) for generator in generators])
        return drawn.to(self.device, unet.dtype)

    def _enlarged(self, rows: Any) -> torch.Tensor:
        """Kept images in the model's size and colours, (B, 3, H, W) in 0..1."""
        return enlarged(self._kept.x[rows], self._size, self.device).to(self._pipeline.vae.dtype)

    def _reduced(self, images: torch.Tensor) -> Images:
        """(B, 3, H, W) in 0..1 in the data's size and colours, (B, h, w, C) uint8."""
        small = reduced(images, self._kept.shape)
        if not small.isfinite().all():
            exact = self.config.precision in ("auto", "float32")
            advice = "try another scheduler or a lower guidance" if exact else f"--set {self.name}.precision=float32"
            raise FillbenchError(
                f"{self.name}: the model made values that are no numbers, "
                f"in {'float32 too' if exact else self.config.precision}; {advice}"
            )
        return small.mul(255).round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()

    def save(self, folder: Path) -> None:
        """Writes the prompt of every image, in the images' order."""
        prompts = [prompt for _, drawn in sorted(self._drawn.items()) for prompt in drawn]
        (folder / "prompts.json").write_text(json.dumps(prompts, indent=0))


def _stop(pipeline: Any, step: int, time: Any, tensors: dict[str, Any]) -> dict[str, Any]:
    """Ends the steps; diffusers then decodes what there is."""
    pipeline._interrupt = True
    return tensors
