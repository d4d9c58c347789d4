"""Ways to train on imbalanced data as it is: losses that know the class counts, and augmentation by batch.

They are controls: what filling a class has to beat. Constants are those of the papers, not settings.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional as F
from torchvision.transforms import v2

from ..errors import FillbenchError
from .base import CE
from .model import Scaled

BETA = 0.9999
MARGIN, SCALE, DEFERRED = 0.5, 30.0, 0.8
GROUPS = 8  # of a batch: v2's transforms draw once for all that they are given

# logits (N, K), targets (N,) int64 or (N, K), images per class (K,), share of the steps that is done -> scalar
Loss = Callable[[torch.Tensor, torch.Tensor, torch.Tensor, float], torch.Tensor]
# images (N, C, H, W) uint8, labels (N,) int64, number of classes -> images, targets as Loss takes them
Mix = Callable[[torch.Tensor, torch.Tensor, int], tuple[torch.Tensor, torch.Tensor]]


def _cross_entropy(logits: torch.Tensor, targets: torch.Tensor, counts: torch.Tensor, done: float) -> torch.Tensor:
    return F.cross_entropy(logits, targets)


def class_weights(counts: torch.Tensor) -> torch.Tensor:
    """Weights (K,) by the effective number of images (Cui et al. 2019), 1 on average."""
    weights = (1 - BETA) / (1 - BETA**counts)
    return weights / weights.mean()


def _class_balanced(logits: torch.Tensor, targets: torch.Tensor, counts: torch.Tensor, done: float) -> torch.Tensor:
    return (class_weights(counts)[targets] * F.cross_entropy(logits, targets, reduction="none")).mean()


def _balanced_softmax(logits: torch.Tensor, targets: torch.Tensor, counts: torch.Tensor, done: float) -> torch.Tensor:
    return F.cross_entropy(logits + counts.log(), targets)


def _ldam_drw(logits: torch.Tensor, targets: torch.Tensor, counts: torch.Tensor, done: float) -> torch.Tensor:
    margins = counts**-0.25
    margins = margins * (MARGIN / margins.max())
    loss = F.cross_entropy(logits - SCALE * margins * F.one_hot(targets, len(counts)), targets, reduction="none")
    return (class_weights(counts)[targets] * loss).mean() if done >= DEFERRED else loss.mean()


def _as_it_is(images: torch.Tensor, labels: torch.Tensor, classes: int) -> tuple[torch.Tensor, torch.Tensor]:
    return images, labels


def _randaugment(images: torch.Tensor, labels: torch.Tensor, classes: int) -> tuple[torch.Tensor, torch.Tensor]:
    draw = v2.RandAugment()
    return torch.cat([draw(part) for part in images.chunk(GROUPS)]), labels


def _mixup(images: torch.Tensor, labels: torch.Tensor, classes: int) -> tuple[torch.Tensor, torch.Tensor]:
    return v2.MixUp(num_classes=classes)(images.float(), labels)


def _cutmix(images: torch.Tensor, labels: torch.Tensor, classes: int) -> tuple[torch.Tensor, torch.Tensor]:
    return v2.CutMix(num_classes=classes)(images.float(), labels)


@dataclass(frozen=True)
class Strategy:
    """How the classifier is trained. `mix` changes a batch after the augmentation that every arm shares.

    `cosine`: the last layer compares directions only, as LDAM's margins need it. `shift`: predictions are by logits
    minus the logarithm of the class's share in training.
    """

    summary: str
    loss: Loss = _cross_entropy
    mix: Mix = _as_it_is
    cosine: bool = False
    shift: bool = False


STRATEGIES = {
    CE: Strategy("Plain cross-entropy"),
    "class-balanced": Strategy("Loss weighted by the effective number of images (Cui 2019)", _class_balanced),
    "balanced-softmax": Strategy("Softmax that expects the training counts (Ren 2020)", _balanced_softmax),
    "logit-adjustment": Strategy("Predictions corrected for the training counts (Menon 2021)", shift=True),
    "ldam-drw": Strategy("Larger margins for rare classes, deferred re-weighting (Cao 2019)", _ldam_drw, cosine=True),
    "randaugment": Strategy("RandAugment on every batch (Cubuk 2020)", mix=_randaugment),
    "mixup": Strategy("Weighted means of two images and labels (Zhang 2018)", mix=_mixup),
    "cutmix": Strategy("A patch of another image, labels by its area (Yun 2019)", mix=_cutmix),
}


class Cosine(nn.Linear):
    """A last layer whose logits are scaled cosines between features and class weights."""

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        return SCALE * F.linear(F.normalize(input), F.normalize(self.weight))


def make_cosine(model: Scaled) -> None:
    """Turns the last layer of a timm model into a Cosine, in place. Raises FillbenchError when it is not linear."""
    head = model.model.get_classifier()
    if type(head) is not nn.Linear:
        raise FillbenchError(f"ldam-drw needs a classifier that ends in a linear layer, not {type(head).__name__}")
    head.__class__ = Cosine
