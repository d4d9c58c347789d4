"""Training in reduced precision: where it was tried and holds, and from the start in float32 where it does not."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import torch

from ..compute import Pass, seeded, settle_precision
from ..errors import FillbenchError
from .base import Diverged, Generator

T = TypeVar("T")
PAYS_ON = ("cuda",)  # in training; on a CPU, bfloat16 is slower in the backward pass of attention


def training_precision(device: torch.device, run: Pass) -> torch.dtype:
    """bfloat16 where that pays and `run` (see `settle_precision`) shows that it computes what float32 does."""
    return settle_precision(device, run) if device.type in PAYS_ON else torch.float32


def name_of(dtype: torch.dtype) -> str:
    """'float32' and so on."""
    return str(dtype).removeprefix("torch.")


def learn_in(
    generator: Generator,
    dtype: torch.dtype,
    learn: Callable[[torch.dtype], T],
    *,
    asked: bool = False,
    fact: str = "precision",
) -> T:
    """What `learn(dtype)` gives, or, where that diverges in reduced precision, `learn(float32)` with the same seed.

    The fact of that name says which it was. Raises FillbenchError where the precision was `asked` for and diverges,
    and Diverged where float32 does.
    """
    generator.facts[fact] = name_of(dtype)
    try:
        return learn(dtype)
    except Diverged as error:
        if dtype == torch.float32:
            raise
        if asked:
            raise FillbenchError(
                f"{generator.name}: training diverged in {name_of(dtype)}; --set {generator.name}.precision=float32"
            ) from error
    generator.history.clear()
    generator.facts[fact] = f"float32, since training diverged in {name_of(dtype)}"
    with seeded(generator.seed):
        return learn(torch.float32)
