"""A loss in which added images count more or less than real ones."""

from __future__ import annotations

from collections.abc import Callable

import torch

Loss = Callable[[torch.Tensor, torch.Tensor, torch.Tensor, float], torch.Tensor]  # logits, targets, counts, done


def mark_added(labels: torch.Tensor, kept: int | None, classes: int) -> torch.Tensor:
    """Labels (N,), of which those after the first `kept` are raised by the number of classes, so that mixing images
    mixes what is real and what was added too."""
    added = torch.arange(len(labels), device=labels.device) >= (len(labels) if kept is None else kept)
    return labels + classes * added


def weighted_loss(
    loss: Loss, weight: float, logits: torch.Tensor, targets: torch.Tensor, counts: torch.Tensor, done: float
) -> torch.Tensor:
    """The mean of a strategy's `loss` over a batch in which added images count `weight`: a scalar.

    `targets`: (N,) int64 as `mark_added` gives them, or (N, 2 K) float32 where they were mixed.
    """
    classes = len(counts)
    if targets.is_floating_point():
        real, added = targets.split(classes, dim=1)
        shares = real + weight * added
        return loss(logits, shares, counts, done) * len(shares) / shares.sum()
    is_added = targets >= classes
    parts = [(logits[own], targets[own] % classes, amount) for own, amount in ((~is_added, 1.0), (is_added, weight))]
    sums = [loss(own, labels, counts, done) * len(labels) * amount for own, labels, amount in parts if len(labels)]
    return torch.stack(sums).sum() / sum(len(labels) * amount for _, labels, amount in parts)
