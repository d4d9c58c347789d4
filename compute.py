"""The device that computes, and the seeds that make it repeatable."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from .errors import FillbenchError


def pick_device(name: str) -> torch.device:
    """'auto' takes CUDA, then MPS, then the CPU; any other name is taken at its word.

    Raises FillbenchError when that device is not here.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        here = ", ".join(["cpu", *(["cuda"] if torch.cuda.is_available() else [])])
        reason = str(error).splitlines()[0]
        raise FillbenchError(f"device '{name}' cannot be used here ({reason}); here there is: {here}") from None
    return device


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seeds every global random source within the block, and puts them back as they were after it."""
    devices = [torch.cuda.current_device()] if torch.cuda.is_available() and torch.cuda.is_initialized() else []
    legacy, plain = np.random.get_state(), random.getstate()
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed)
        np.random.seed(seed % 2**32)
        random.seed(seed)
        try:
            yield
        finally:
            np.random.set_state(legacy)
            random.setstate(plain)


def native_bfloat16(device: torch.device) -> bool:
    """Whether bfloat16 convolutions run faster than float32 ones on this device."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type == "cpu":
        abilities: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
        return bool(abilities.get("avx512_bf16") or abilities.get("amx_bf16"))
    return False
