"""A last layer that compares directions only, as margins between classes need it."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from ..errors import FillbenchError

SCALE = 30.0


class Cosine(nn.Linear):
    """A last layer whose logits are scaled cosines between features and class weights."""

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        return SCALE * F.linear(F.normalize(input), F.normalize(self.weight))


def make_cosine(model: nn.Module) -> None:
    """Turns the last layer of a timm model into a Cosine, in place. Raises FillbenchError when it is not linear."""
    head = model.get_classifier()  # type: ignore[operator]
    if not isinstance(head, nn.Linear):
        found = "several" if isinstance(head, tuple | nn.ModuleList) else f"a {type(head).__name__}"
        raise FillbenchError(f"needs a classifier that ends in a linear layer, not in {found}")
    head.__class__ = Cosine
