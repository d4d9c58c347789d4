"""Training of an image classifier for a fixed number of steps, and prediction with the last weights."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Literal

import numpy as np
import torch
from pydantic import Field
from torch.nn import functional as F
from torch.optim import SGD
from torch.optim.lr_scheduler import OneCycleLR

from ..compute import is_finite
from ..datasets.base import DataSet, Images
from ..errors import FillbenchError
from .augment import augment
from .base import weighted_counts
from .model import Scaled
from .strategies import Strategy
from .weighted_loss import Loss, mark_added, weighted_loss

MOMENTUM = 0.9  # to begin with: the schedule moves it
CURVE_POINTS = 5
CURVE_IMAGES = 128  # of the test set, evenly spaced: enough for a figure


@dataclass(frozen=True)
class Config:
    """How every arm's classifier is trained: `--set classifier.lr=…`.

    SGD with Nesterov momentum under a one-cycle schedule (Smith & Topin 2019) that peaks at `lr`; momentum goes from
    0.95 to 0.85 and back. `steps` left out are 15 epochs of the full set. `precision` auto is bfloat16 where the
    processor or GPU is built for it and a trial step of the classifier agrees with float32; on a CPU, only from 16x16
    pixels on.
    `stem_stride` is of a ResNet from scratch on images up to 64x64 px: 2 is faster, at half the resolution.
    """

    model: str = "resnet18"
    pretrained: bool = False
    steps: Annotated[int, Field(gt=0)] | None = None
    stem_stride: Literal[1, 2] = 1
    batch_size: Annotated[int, Field(gt=1)] = 128
    lr: Annotated[float, Field(gt=0)] = 0.1
    weight_decay: Annotated[float, Field(ge=0)] = 5e-4
    augment: bool = True
    precision: Literal["auto", "float32", "bfloat16"] = "auto"

    @property
    def dtype(self) -> torch.dtype:
        """What is computed in; float32 as long as it is not settled."""
        return torch.bfloat16 if self.precision == "bfloat16" else torch.float32


def place(network: Scaled, device: torch.device, dtype: torch.dtype) -> Scaled:
    """The network on the device, in the layout that is fast there."""
    network = network.to(device)
    # Tensor cores and bfloat16 want it; in float32 on the CPU it gained nothing.
    last = device.type == "cuda" or dtype == torch.bfloat16
    return network.to(memory_format=torch.channels_last) if last else network


def fit(
    network: Scaled,
    strategy: Strategy,
    config: Config,
    data: DataSet,
    test: DataSet,
    seed: int,
    device: torch.device,
    progress: Callable[[int, int], None],
    kept: int | None = None,
    weight: float = 1.0,
) -> tuple[torch.Tensor, list[dict[str, float]], int]:
    """Trains `network`, in place, for `config.steps` steps; images after the first `kept` count `weight` in the loss.

    Gives test probabilities (N, K) of the last weights, the curve, and in how many steps bfloat16 gave no number, so
    that they were computed again in float32.
    Loss and accuracy on a few test images along the way are logged for the figures; nothing is chosen by them.
    """
    steps = config.steps
    assert steps is not None, "settle comes before train"
    optimiser, schedule = _optimiser(network, config, steps)
    images, labels = on_device(data, device)
    counts = counts_of(data, device, kept, weight)
    loss_of, targets_of = strategy.loss, len(counts)
    if weight != 1:
        loss_of, targets_of = partial(weighted_loss, strategy.loss, weight), 2 * len(counts)
        labels = mark_added(labels, kept, len(counts))
    test_images, test_labels = on_device(test, device)
    every, size = math.ceil(len(test_labels) / CURVE_IMAGES), prediction_batch(config)
    few, few_labels = test_images[::every], test_labels[::every]
    # Two sources: how many images there are changes the order, and must not change the augmentation.
    order, draws = (torch.Generator().manual_seed(2 * seed + part) for part in (0, 1))
    evaluate_at = {steps * point // CURVE_POINTS for point in range(1, CURVE_POINTS + 1)}
    curve, losses, again = [], [], 0
    network.train()
    for step, batch in enumerate(_batches(len(labels), config.batch_size, steps, order), start=1):
        inputs, targets = images[batch.to(device)], labels[batch.to(device)]
        if config.augment:
            inputs = augment(inputs, data.traits, draws)
        inputs, targets = strategy.mix(inputs, targets, targets_of)
        loss_now = partial(_loss, network, loss_of, inputs, targets, counts, step / steps)
        loss, retried = backward_safely(network, loss_now, config.dtype)
        again += retried
        optimiser.step()
        schedule.step()
        losses.append(loss.detach())
        if step == steps:
            probabilities = predict(network, test_images, size, config.dtype)
        if step in evaluate_at:
            seen = probabilities[::every] if step == steps else predict(network, few, size, config.dtype)
            curve.append(_curve_point(step, losses, seen, few_labels))
            losses.clear()
        progress(step, steps)
    return probabilities, curve, again


def _loss(
    network: Scaled,
    loss_of: Loss,
    inputs: torch.Tensor,
    targets: torch.Tensor,
    counts: torch.Tensor,
    done: float,
) -> torch.Tensor:
    return loss_of(network(inputs).float(), targets, counts, done)


def _optimiser(network: Scaled, config: Config, steps: int) -> tuple[SGD, OneCycleLR]:
    optimiser = SGD(
        network.parameters(),
        config.lr,
        MOMENTUM,
        weight_decay=config.weight_decay,
        nesterov=True,
        fused=True,  # one pass over the weights in place of several
    )
    return optimiser, OneCycleLR(optimiser, config.lr, total_steps=steps)


def counts_of(data: DataSet, device: torch.device, kept: int | None = None, weight: float = 1.0) -> torch.Tensor:
    """Images per class (K,) float32, those after the first `kept` by `weight`; 1 for a class without: they are divided
    by."""
    return torch.from_numpy(weighted_counts(data, kept, weight)).float().to(device).clamp_min(1)


def on_device(data: DataSet, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """All of a data set as (N, C, H, W) uint8 and (N,) int64 on the device: small images need no loader."""
    return to_tensor(data.x, device).contiguous(), torch.from_numpy(np.array(data.labels)).to(device)


def to_tensor(x: Images, device: torch.device) -> torch.Tensor:
    """(N, H, W, C) uint8 as (N, C, H, W) uint8 on the device."""
    return torch.from_numpy(np.array(x)).to(device).permute(0, 3, 1, 2)


def _batches(count: int, size: int, steps: int, order: torch.Generator) -> Iterator[torch.Tensor]:
    """Indices of full batches, permutation after permutation."""
    queue = torch.empty(0, dtype=torch.int64)
    for _ in range(steps):
        while len(queue) < size:
            queue = torch.cat([queue, torch.randperm(count, generator=order)])
        yield queue[:size]
        queue = queue[size:]


def backward(network: Scaled, loss_now: Callable[[], torch.Tensor], dtype: torch.dtype) -> torch.Tensor:
    """The loss, in that precision; its gradients are left in the network's weights."""
    network.zero_grad()
    with torch.autocast(network.mean.device.type, torch.bfloat16, enabled=dtype == torch.bfloat16):
        loss = loss_now()
    loss.backward()
    return loss.detach()


def backward_safely(
    network: Scaled, loss_now: Callable[[], torch.Tensor], dtype: torch.dtype
) -> tuple[torch.Tensor, bool]:
    """As `backward`, and whether it had to be done again in float32, because bfloat16 gave NaN or infinity."""
    if dtype == torch.float32:
        return backward(network, loss_now, dtype), False
    before = [buffer.clone() for buffer in network.buffers()]  # the pass moves the running means
    loss = backward(network, loss_now, dtype)
    if is_finite(loss, [weight.grad for weight in network.parameters() if weight.grad is not None]):
        return loss, False
    for buffer, value in zip(network.buffers(), before, strict=True):
        buffer.copy_(value)
    return backward(network, loss_now, torch.float32), True


def prediction_batch(config: Config) -> int:
    """How many images are predicted at a time: without gradients there is room for more. It tells in the last bits."""
    return config.batch_size * 4


@torch.inference_mode()
def predict(
    network: Scaled, images: torch.Tensor, batch_size: int, dtype: torch.dtype, shift: torch.Tensor | float = 0.0
) -> torch.Tensor:
    """Class probabilities (N, K) float32 of images (N, C, H, W) uint8, by logits minus `shift` (K,).

    In float32 when bfloat16 gives what is no number.
    """
    training = network.training
    network.eval()
    with torch.autocast(images.device.type, torch.bfloat16, enabled=dtype == torch.bfloat16):
        logits = torch.cat([network(chunk).float() for chunk in images.split(batch_size)])
    network.train(training)
    if dtype == torch.bfloat16 and not logits.isfinite().all():
        return predict(network, images, batch_size, torch.float32, shift)
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
