"""One step of training, tried before anything is run: whether it works, in which precision, at what cost."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional as F

from ..compute import native_bfloat16, seeded, settle_precision
from ..datasets.base import DataSet
from .model import Scaled
from .training import backward, place, to_tensor

FEWEST_PIXELS = 16 * 16  # of what the network sees


@dataclass(frozen=True)
class Cost:
    """Of one image in a step of training: `seconds`, and the `bytes` of what layers give, kept until the backward pass.

    `weights`: the bytes of the network's weights. `sees`: height and width of what it is given.
    """

    seconds: float
    bytes: float
    weights: int
    sees: tuple[int, int]


def try_step(build: Callable[[], Scaled], train: DataSet, device: torch.device, count: int) -> Cost:
    """The cost of a step with `count` images in float32. Raises whatever a network raises that cannot take them."""
    network, images, labels = _ready(build, train, device, count)
    made: list[int] = []
    hooks = [
        layer.register_forward_hook(lambda layer, inputs, output: made.append(_bytes(output)))
        for layer in network.modules()
        if not list(layer.children())
    ]
    _step(network, images, labels, torch.float32)
    for hook in hooks:
        hook.remove()
    start = _now(device)
    _step(network, images, labels, torch.float32)
    seconds = _now(device) - start
    weights = sum(_bytes(weight) for weight in network.parameters())
    return Cost(seconds / count, sum(made) / count, weights, network.sees(train.shape))


def _now(device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize(device)  # it works on while Python goes ahead
    return time.perf_counter()


def _bytes(tensor: object) -> int:
    return tensor.numel() * tensor.element_size() if isinstance(tensor, torch.Tensor) else 0


def precision_of(build: Callable[[], Scaled], train: DataSet, device: torch.device, count: int) -> torch.dtype:
    """The precision in which a network is trained on batches of `count` images on this device.

    On the CPU bfloat16 is for images of some size: it was measured to be slower on 8x8 pixels and more than twice as
    fast on 28x28. Elsewhere, by what a step of real images gives.
    """
    if not native_bfloat16(device):
        return torch.float32
    height, width = build().sees(train.shape)
    if device.type == "cpu" and height * width < FEWEST_PIXELS:
        return torch.float32

    def run(dtype: torch.dtype) -> tuple[torch.Tensor, list[torch.Tensor]]:
        return _step(*_ready(build, train, device, count, dtype), dtype)

    return settle_precision(device, run)


def _ready(
    build: Callable[[], Scaled],
    train: DataSet,
    device: torch.device,
    count: int,
    dtype: torch.dtype = torch.float32,
) -> tuple[Scaled, torch.Tensor, torch.Tensor]:
    """A network with the same weights each time, and `count` images from all over the data set, with labels."""
    with seeded(0):
        network = place(build(), device, dtype).train()
    rows = np.linspace(0, len(train) - 1, count).astype(np.int64)
    return network, to_tensor(train.x[rows], device).contiguous(), torch.from_numpy(train.labels[rows]).to(device)


def _step(
    network: Scaled, images: torch.Tensor, labels: torch.Tensor, dtype: torch.dtype
) -> tuple[torch.Tensor, list[torch.Tensor]]:
    with seeded(0):  # dropout
        network.zero_grad()
        loss = backward(network, lambda: F.cross_entropy(network(images).float(), labels), dtype)
    return loss, [weight.grad for weight in network.parameters() if weight.grad is not None]
