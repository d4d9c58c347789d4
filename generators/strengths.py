"""Image-to-image by the adapted model with a ladder of strengths, from the class's own images or from others'."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain, groupby
from types import SimpleNamespace
from typing import Annotated, Any, Literal

import numpy as np
import torch
from pydantic import Field

from ..datasets.base import DataSet
from ..datasets.imbalance import Indices
from ..errors import FillbenchError
from .base import register
from .lora import StableDiffusionLora
from .stable_diffusion import Wanted


@register("real-guidance")
class RealGuidance(StableDiffusionLora):
    """The class's own kept images, changed more and more by Stable Diffusion with LoRA (He 2023)"""

    # Ruifei He et al., Is Synthetic Data from Generative Models Ready for Image Recognition?, ICLR 2023.

    @dataclass(frozen=True)
    class Config(StableDiffusionLora.Config):
        """As for `stable-diffusion-lora`; `strength`: how much of a kept image may change, one number or some with
        commas, each for an equal part of a class's images."""

        mode: Literal["image-to-image"] = "image-to-image"
        strength: Annotated[str, Field(coerce_numbers_to_str=True)] = "0.5,0.7,0.9"  # type: ignore[assignment]

    def available(self) -> str | None:
        """Says so when the model is not to be had. Raises FillbenchError for strengths that are no shares."""
        _ = self._strengths
        return super().available()

    @property
    def _strengths(self) -> tuple[float, ...]:
        text = self.config.strength
        try:
            found = tuple(float(part) for part in text.split(","))
        except ValueError:
            found = ()
        if not found or not all(0 < one <= 1 for one in found):
            raise FillbenchError(f"{self.name}: strength = '{text}' will not do: give shares up to 1, such as 0.5,0.9")
        return found

    def _run(self, wanted: Wanted, attempt: int, indices: list[int], **options: Any) -> Any:
        """One strength at a time: a pipeline takes no more."""

        def strength_of(index: int) -> float:
            return self._strengths[index * len(self._strengths) // len(wanted.sources)]

        outputs = [
            super(RealGuidance, self)._run(wanted, attempt, [*own], strength=strength, **options)
            for strength, own in groupby(indices, strength_of)
        ]
        refused = [getattr(output, "nsfw_content_detected", None) or [False] * len(output.images) for output in outputs]
        images = torch.cat([output.images for output in outputs])
        return SimpleNamespace(images=images, nsfw_content_detected=[*chain.from_iterable(refused)])


@register("diff-mix")
class DiffMix(RealGuidance):
    """Kept images of other classes, changed into the class by Stable Diffusion with LoRA (Wang 2024)"""

    # Zhicai Wang et al., Enhance Image Classification via Inter-Class Image Mixup with Diffusion Model, CVPR 2024. The
    # labels are not mixed: an image counts as one of the class that it was made for.

    def _sources(self, train: DataSet, label: int) -> Indices:
        return np.flatnonzero(train.labels != label)
