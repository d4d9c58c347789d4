"""Training for a fixed number of steps, and prediction with the last weights."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch.nn import functional as F

from ..compute import native_bfloat16, seeded
from ..datasets.base import ImageSet
from ..errors import FillbenchError
from .augment import augment
from .model import Scaled, build_model
from .strategies import CE, STRATEGIES, make_cosine

CURVE_POINTS = 5
CURVE_IMAGES = 128  # of the test set, evenly spaced: enough for a figure
Positive = Annotated[float, Field(gt=0)]


@dataclass(frozen=True)
class Config:
    """How every arm's classifier is trained: `--set classifier.lr=…`.

    SGD with Nesterov momentum under a one-cycle schedule (Smith & Topin 2019) that peaks at `lr`.
    """

    model: str = "resnet18"
    pretrained: bool = False
    steps: Annotated[int, Field(gt=0)] = 1000
    batch_size: Annotated[int, Field(gt=1)] = 128
    lr: Positive = 0.1
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9
    weight_decay: Annotated[float, Field(ge=0)] = 5e-4
    augment: bool = True


@dataclass(frozen=True)
class Trained:
    """`probabilities` (N_test, K) float32 of the last weights; `curve`, for the figures only; the model itself."""

    probabilities: NDArray[np.float32]
    curve: list[dict[str, float]]
    model: Scaled


def train(
    config: Config,
    data: ImageSet,
    test: ImageSet,
    seed: int,
    device: torch.device,
    progress: Callable[[int, int], None] = lambda done, total: None,
    strategy: str = CE,
) -> Trained:
    """Trains on `data` for `config.steps` steps, by a way of STRATEGIES, and predicts `test` with the last weights.

    The same seed gives the same initial weights and augmentation draws whatever `data` holds, and the same batch order
    whenever it holds equally many images.
    Loss and accuracy on a few test images along the way are logged for the figures; nothing is chosen by them.
    Raises FillbenchError when the loss stops being a number.
    """
    way = STRATEGIES[strategy]
    with seeded(seed):
        model = build_model(config.model, len(data.class_names), data.images.shape[1:], config.pretrained)
        if way.cosine:
            make_cosine(model)
        model = model.to(device)
        if device.type == "cuda":  # tensor cores want it; on the CPU it gained nothing
            model = model.to(memory_format=torch.channels_last)
        optimiser = torch.optim.SGD(
            model.parameters(),
            config.lr,
            config.momentum,
            weight_decay=config.weight_decay,
            nesterov=config.momentum > 0,
            fused=True,  # one pass over the weights in place of several
        )
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, config.lr, total_steps=config.steps)
        images, labels = _on_device(data, device)
        counts = torch.from_numpy(data.counts()).to(device).clamp_min(1).float()
        shift = (counts / counts.sum()).log() if way.shift else torch.zeros_like(counts)
        test_images, test_labels = _on_device(test, device)
        every, size = math.ceil(len(test_labels) / CURVE_IMAGES), config.batch_size * 4
        few, few_labels = test_images[::every], test_labels[::every]
        # Two sources: how many images there are changes the order, and must not change the augmentation.
        order, draws = (torch.Generator().manual_seed(2 * seed + part) for part in (0, 1))
        evaluate_at = {config.steps * point // CURVE_POINTS for point in range(1, CURVE_POINTS + 1)}
        curve, losses = [], []
        model.train()
        for step, batch in enumerate(_batches(len(labels), config, order), start=1):
            inputs, targets = images[batch.to(device)], labels[batch.to(device)]
            if config.augment:
                inputs = augment(inputs, data.traits, draws)
            inputs, targets = way.mix(inputs, targets, len(counts))
            with _precision(device):
                loss = way.loss(model(inputs).float(), targets, counts, step / config.steps)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
            schedule.step()
            losses.append(loss.detach())
            if step == config.steps:
                probabilities = _predict(model, test_images, size, device, shift)
            if step in evaluate_at:
                seen = probabilities[::every] if step == config.steps else _predict(model, few, size, device, shift)
                curve.append(_curve_point(step, losses, seen, few_labels))
                losses.clear()
            progress(step, config.steps)
    return Trained(probabilities.cpu().numpy(), curve, model.eval())


def _on_device(data: ImageSet, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """All of a data set as (N, C, H, W) uint8 and (N,) int64 on the device: small images need no loader."""
    images = torch.from_numpy(np.array(data.images)).to(device).permute(0, 3, 1, 2).contiguous()
    return images, torch.from_numpy(np.array(data.labels)).to(device)


def _batches(count: int, config: Config, order: torch.Generator) -> Iterator[torch.Tensor]:
    """Indices of `config.steps` full batches, permutation after permutation."""
    queue = torch.empty(0, dtype=torch.int64)
    for _ in range(config.steps):
        while len(queue) < config.batch_size:
            queue = torch.cat([queue, torch.randperm(count, generator=order)])
        yield queue[: config.batch_size]
        queue = queue[config.batch_size :]


def _precision(device: torch.device) -> AbstractContextManager[object]:
    return torch.autocast(device.type, torch.bfloat16, enabled=native_bfloat16(device))


@torch.inference_mode()
def _predict(
    model: torch.nn.Module, images: torch.Tensor, batch_size: int, device: torch.device, shift: torch.Tensor
) -> torch.Tensor:
    """Class probabilities (N, K) float32, by logits minus `shift` (K,)."""
    model.eval()
    with _precision(device):
        logits = torch.cat([model(chunk).float() for chunk in images.split(batch_size)])
    model.train()
    return (logits - shift).softmax(1)


def _curve_point(
    step: int, losses: list[torch.Tensor], probabilities: torch.Tensor, labels: torch.Tensor
) -> dict[str, float]:
    train_loss = float(torch.stack(losses).mean())
    if not np.isfinite(train_loss):
        raise FillbenchError(
            f"the classifier's loss is {train_loss} at step {step}; lower it: --set classifier.lr=0.01"
        )
    test_loss = F.nll_loss(probabilities.clamp_min(1e-12).log(), labels)
    accuracy = (probabilities.argmax(1) == labels).float().mean()
    return {
        "step": step,
        "train_loss": train_loss,
        "test_loss": float(test_loss),
        "test_accuracy": float(accuracy),
    }
