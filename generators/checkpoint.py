"""One file that holds a whole training state or is not there, so that a killed fit goes on where it was."""

from __future__ import annotations

import hashlib
import io
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..datasets.base import DataSet
from ..disk import write_atomically

SECONDS = 10.0  # between two checkpoints


class Checkpoint:
    """The file `name` in `folder`; without a folder nothing is kept.

    `identity` tells what is trained on what: a file of another one is not used.
    """

    def __init__(self, folder: Path | None, name: str, identity: str) -> None:
        self.path = folder / name if folder else None
        self.identity = identity
        self._written = time.monotonic()

    def due(self) -> bool:
        """Whether it is time to write again."""
        return self.path is not None and time.monotonic() - self._written >= SECONDS

    def write(self, **state: Any) -> None:
        """Stores tensors, numbers, texts, and lists and dictionaries of them."""
        assert self.path is not None
        buffer = io.BytesIO()
        torch.save({**state, "identity": self.identity}, buffer)
        content = buffer.getvalue()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(self.path, hashlib.sha256(content).digest() + content)
        self._written = time.monotonic()

    def read(self) -> dict[str, Any] | None:
        """The last state, on the CPU; None, with a warning, when the file is damaged or of other work."""
        if self.path is None or not self.path.exists():
            return None
        raw = self.path.read_bytes()
        digest, content = raw[:32], raw[32:]
        # torch.load does not check its own file's checksums, so a flipped bit would pass as a weight.
        if hashlib.sha256(content).digest() != digest:
            warnings.warn(f"the checkpoint {self.path} is damaged; training starts over", stacklevel=2)
            return None
        state = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
        if state["identity"] != self.identity:
            warnings.warn(
                f"the checkpoint {self.path} is of other data or settings; training starts over", stacklevel=2
            )
            return None
        return state


def identity(train: DataSet, *parts: object) -> str:
    """A hash of the examples and labels of `train` and of `parts`, as their `repr` has it."""
    digest = hashlib.sha256(repr(parts).encode())
    for array in (train.x, train.labels):
        digest.update(repr(array.shape).encode() + np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def random_state(device: torch.device) -> dict[str, torch.Tensor]:
    """PyTorch's random state on the CPU and on `device`."""
    states = {"cpu": torch.get_rng_state()}
    return {**states, "cuda": torch.cuda.get_rng_state(device)} if device.type == "cuda" else states


def set_random_state(states: dict[str, torch.Tensor], device: torch.device) -> None:
    """Puts back what `random_state` gave."""
    torch.set_rng_state(states["cpu"])
    if device.type == "cuda":
        torch.cuda.set_rng_state(states["cuda"], device)
