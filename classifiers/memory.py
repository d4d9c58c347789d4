"""How much memory the training of a classifier takes."""

from __future__ import annotations

import torch

from ..compute import memory_of
from ..datasets.base import DataSet
from .probe import Cost
from .training import Config

COPIES = 3  # of the data at a time, on their way to the device
WEIGHTS = 4  # of the size of the weights: these, gradients, momentum, and what an optimiser step needs
SMALLER = 4


def needed(cost: Cost, config: Config, train: DataSet) -> int:
    """Bytes for the data, the weights and one batch."""
    return round(COPIES * train.x.nbytes + WEIGHTS * cost.weights + cost.bytes * config.batch_size)


def advice(bytes_needed: int | None, config: Config, train: DataSet, device: torch.device) -> str:
    """That the memory is too small, by how much where that is known, and what to type instead."""
    height, width = train.shape[:2]
    total, free = (size / 2**30 for size in memory_of(device))
    takes = "more" if bytes_needed is None else f"about {bytes_needed / 2**30:.1f} GiB"
    side, batch = max(8, max(height, width) // 2), max(2, config.batch_size // SMALLER)
    return (
        f"training {config.model} on {len(train)} images of {height}x{width} in batches of {config.batch_size} takes "
        f"{takes}; here there are {total:.1f} GiB, of which {free:.1f} are free; "
        f"smaller images: --size {side}, smaller batches: --set classifier.batch_size={batch}"
    )
