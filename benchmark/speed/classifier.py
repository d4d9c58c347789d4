"""The training of the classifier, against the loop of a notebook.

The notebook's loop: a DataLoader with two workers, PIL transforms image by image (random crop with padding, to a
tensor, normalised), float32, SGD without options; timm's ResNet-18 with the 3x3 stem of CIFAR ResNets. Ours: the same
network, data, batch size, steps, schedule and augmentation as the benchmark trains them. It leaves out the taps of
convolutions that meet padding only, and is in bfloat16 where that was settled. So what is computed is the same, but for
rounding and draws.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

from ...classifiers.images import Config, ImageTrainer
from ...classifiers.training import MOMENTUM
from ...datasets import DataSet, ImageTraits
from .turns import in_turns

Shape = tuple[int, int, int]
CLASSES, WORKERS, BATCH = 10, 2, 64
STEPS = {(8, 8, 1): 10, (28, 28, 1): 3, (32, 32, 3): 3}  # timed in a round, for each shape of images, on a CPU
GPU_STEPS = 100
WARM = 1  # steps before the clock starts: processes and buffers are being made


class _Pictures(Dataset[tuple[torch.Tensor, int]]):
    """What a notebook makes of an array: PIL images, transformed one by one."""

    def __init__(self, data: DataSet) -> None:
        from torchvision import transforms as T

        side, channels = data.shape[0], data.shape[2]
        half = (0.5,) * channels
        padding = round(ImageTraits().shift * side)
        self.data = data
        self.transform = T.Compose(
            [T.ToPILImage(), T.RandomCrop(side, padding=padding), T.ToTensor(), T.Normalize(half, half)]
        )

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        return self.transform(self.data.x[index]), int(self.data.labels[index])


def notebook_model(shape: tuple[int, ...]) -> nn.Module:
    """timm's ResNet-18 that keeps the resolution of small images (H, W, C)."""
    import timm

    model: Any = timm.create_model("resnet18", num_classes=CLASSES, in_chans=shape[2])
    model.conv1 = nn.Conv2d(shape[2], 64, 3, padding=1, bias=False)
    model.maxpool = nn.Identity()
    return model


def notebook(data: DataSet, config: Config, steps: int, device: torch.device) -> float:
    """Images a second of the loop that one writes first."""
    model = notebook_model(data.shape).to(device).train()
    optimiser = torch.optim.SGD(
        model.parameters(), config.lr, MOMENTUM, weight_decay=config.weight_decay, nesterov=True
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, config.lr, total_steps=steps + WARM)
    loader = DataLoader(_Pictures(data), config.batch_size, shuffle=True, num_workers=WORKERS, drop_last=True)
    start = 0.0
    for step, (images, labels) in enumerate(loader):
        if step == WARM:
            start = time.perf_counter()
        loss = nn.functional.cross_entropy(model(images.to(device)), labels.to(device))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        loss.item()  # what a notebook prints
    return steps * config.batch_size / (time.perf_counter() - start)


def ours(data: DataSet, config: Config, steps: int, device: torch.device) -> float:
    """Images a second of the benchmark's training."""
    at: list[float] = []

    def progress(done: int, total: int) -> None:
        if done in (WARM, total):
            if device.type == "cuda":
                torch.cuda.synchronize(device)
            at.append(time.perf_counter())

    few = data.take(np.arange(1))  # predicted within the time
    ImageTrainer().train(replace(config, steps=steps + WARM), data, few, 0, device, progress)
    return steps * config.batch_size / (at[1] - at[0])


def measure(device: torch.device, timed: Mapping[Shape, int] | None = None) -> dict[str, Any]:
    """Images a second of both, for each shape of images; `timed`: how many steps of which shape a round times."""
    timed = timed or (STEPS if device.type == "cpu" else dict.fromkeys(STEPS, GPU_STEPS))
    found = {}
    for shape, steps in timed.items():
        data = _noise(shape, (steps + WARM) * BATCH)
        config = ImageTrainer().settle(Config(batch_size=BATCH), data, device)
        ways = {
            "notebook": lambda data=data, config=config, steps=steps: notebook(data, config, steps, device),
            "fillbench": lambda data=data, config=config, steps=steps: ours(data, config, steps, device),
        }
        weights = {
            "notebook": sum(weight.numel() for weight in notebook_model(shape).parameters()),
            "fillbench": _weights(config, data, device),
        }
        found["x".join(map(str, shape))] = {
            **in_turns(ways),
            "steps": steps,
            "batch_size": config.batch_size,
            "precision": config.precision,
            "weights": weights,
        }
    return {"model": "resnet18", "notebook": f"DataLoader with {WORKERS} workers, PIL, float32", "images": found}


def _weights(config: Config, data: DataSet, device: torch.device) -> int:
    """How many weights the benchmark's network has: fewer, where convolutions are trimmed."""
    return ImageTrainer().cost(config, data, device).weights // torch.float32.itemsize


def _noise(shape: Shape, count: int) -> DataSet:
    rng = np.random.default_rng(0)
    x, labels = rng.integers(0, 256, (count, *shape), dtype=np.uint8), np.arange(count) % CLASSES
    return DataSet(x, labels.astype(np.int64), tuple(map(str, range(CLASSES))), ImageTraits())
