"""What a strategy may change of a training, and the table of them all."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch.nn import functional as F

from ...registry import Registry


class Strategy:
    """How the classifier is trained: by default, by plain cross-entropy. A subclass writes what it does otherwise.

    `cheap`: whether it is among the controls that every run has. `cosine`: the last layer compares directions only.
    `shift`: it trains nothing of its own. The classifier is that of plain cross-entropy, and predictions are by logits
    minus the logarithm of the class's share in training, which is done afterwards (`Model.shifted`).
    """

    name: ClassVar[str] = ""
    cheap: ClassVar[bool] = False
    cosine: ClassVar[bool] = False
    shift: ClassVar[bool] = False

    @classmethod
    def summary(cls) -> str:
        """The first line of the docstring, which lists show; without the full stop."""
        return next(iter((cls.__doc__ or "").strip().splitlines()), cls.name).removesuffix(".")

    def loss(self, logits: torch.Tensor, targets: torch.Tensor, counts: torch.Tensor, done: float) -> torch.Tensor:
        """A scalar, of logits (N, K) float32 and targets as `mix` gives them.

        `counts` (K,) float32: the training images of each class. `done`: the share of the steps that is over.
        """
        return F.cross_entropy(logits, targets)

    def mix(self, images: torch.Tensor, labels: torch.Tensor, classes: int) -> tuple[torch.Tensor, torch.Tensor]:
        """A batch after the augmentation that every arm shares: images (N, C, H, W) uint8, labels (N,) int64.

        Gives images of the same shape, uint8 or float32 in 0..255, and targets (N,) int64 or (N, K) float32.
        """
        return images, labels


STRATEGIES: Registry[Strategy] = Registry("strategy", Strategy, __package__)
register = STRATEGIES.register
