"""Many examples of a network, some at a time."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from ..datasets.base import Array
from .base import Generator


def in_batches(generator: Generator, count: int, size: int, make: Callable[[int], Array]) -> Array:
    """`count` examples by `make`, which is asked for `size` of them at most and needs no gradients; tells progress."""
    made = []
    with torch.inference_mode():
        for start in range(0, count, size):
            made.append(make(min(size, count - start)))
            generator.progress(min(count, start + size), count)
    return np.concatenate(made)
