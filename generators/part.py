"""The kept examples on the device, from which batches are drawn class by class."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from ..datasets.base import DataSet
from ..errors import CannotFill
from .encoders import Encoder


@dataclass(frozen=True)
class Part:
    """What one model learns from, on its device.

    `labels`: the K classes it serves. `encoded`: their examples as the encoder has it, (N, …), sorted by class.
    `classes`, `first`, `counts`: (K,) int64, the labels again, and where in `encoded` each one lies.
    """

    labels: tuple[int, ...]
    encoded: torch.Tensor
    classes: torch.Tensor
    first: torch.Tensor
    counts: torch.Tensor

    @classmethod
    def of(cls, train: DataSet, labels: Sequence[int], encoder: Encoder, device: torch.device) -> Part:
        """The examples of `labels` in `train`. Raises CannotFill when a class has none."""
        rows = [np.flatnonzero(train.labels == label) for label in labels]
        for label, found in zip(labels, rows, strict=True):
            if not len(found):
                raise CannotFill(f"class '{train.class_names[label]}' has no {train.traits.plural} to learn from")
        counts = torch.tensor([len(found) for found in rows], device=device)
        encoded = encoder.encode(train.x[np.concatenate(rows)], device)
        return cls(tuple(labels), encoded, torch.tensor(labels, device=device), counts.cumsum(0) - counts, counts)

    @classmethod
    def of_all(cls, train: DataSet, needed: Iterable[int], encoder: Encoder, device: torch.device) -> Part:
        """The examples of every class that has some. Raises CannotFill when a `needed` one has none."""
        kept = np.unique(train.labels).tolist()
        if lacking := sorted({train.class_names[label] for label in needed if label not in kept}):
            raise CannotFill(f"no {train.traits.plural} to learn from in class {', '.join(lacking)}")
        return cls.of(train, kept, encoder, device)

    def draw(self, count: int) -> tuple[torch.Tensor, torch.Tensor]:
        """A random batch, each class equally likely: encoded examples (count, …), labels (count,)."""
        device = self.encoded.device
        which = torch.randint(len(self.labels), (count,), device=device)
        row = torch.randint(2**31, (count,), device=device) % self.counts[which]
        return self.encoded[self.first[which] + row], self.classes[which]
