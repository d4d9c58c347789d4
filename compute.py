"""The device that computes, and the seeds that make it repeatable."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import psutil
import torch

from .errors import FillbenchError

# Rounding to bfloat16 leaves deep networks a cosine of 0.94 to 0.9999 with the gradient of float32; a convolution that
# computes something else leaves far less. Two batches of the same images differ by more than this too.
AGREE = 0.9


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


Pass = Callable[[torch.dtype], tuple[torch.Tensor, Sequence[torch.Tensor]]]


def settle_precision(device: torch.device, run: Pass) -> torch.dtype:
    """bfloat16 where the device is built for it and computes there what float32 does; else float32.

    `run(dtype)`: the loss (a scalar) and the gradients of one pass in that precision, each time from the same state.
    It is tried, since some processors' bfloat16 convolutions give NaN or nonsense for some shapes of images.
    """
    if not native_bfloat16(device):
        return torch.float32
    fast = run(torch.bfloat16)
    if not is_finite(*fast):
        return torch.float32
    return torch.bfloat16 if _cosine(fast[1], run(torch.float32)[1]) >= AGREE else torch.float32


def is_finite(loss: torch.Tensor, gradients: Sequence[torch.Tensor]) -> bool:
    """Whether neither holds NaN or infinity."""
    norm = torch.nn.utils.get_total_norm(gradients) if gradients else torch.zeros((), device=loss.device)
    return bool(torch.isfinite(loss.detach() + norm))


def _cosine(one: Sequence[torch.Tensor], other: Sequence[torch.Tensor]) -> float:
    first, second = (torch.cat([part.flatten().double().cpu() for part in parts]) for parts in (one, other))
    return float(torch.nn.functional.cosine_similarity(first, second, dim=0))


def out_of_memory(error: Exception) -> bool:
    """Whether an allocator, of Python, NumPy or PyTorch, found no room."""
    from accelerate.utils.memory import should_reduce_batch_size

    return isinstance(error, MemoryError) or bool(should_reduce_batch_size(error))


def memory_of(device: torch.device) -> tuple[int, int]:
    """Bytes of the device's memory: how many there are, and how many are free."""
    if device.type == "cuda":
        free, total = torch.cuda.mem_get_info(device)
        return total, free
    memory = psutil.virtual_memory()
    return memory.total, memory.available
