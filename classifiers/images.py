"""Images by a timm model: training for a fixed number of steps, and prediction with the last weights."""

from __future__ import annotations

import json
import math
import traceback
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
from pydantic import Field
from safetensors.torch import load_file, save_file
from torch.nn import functional as F

from ..compute import native_bfloat16, seeded
from ..datasets.base import DataSet, Images
from ..errors import FillbenchError
from ..settings import build
from .augment import augment
from .base import CE, Model, Scores, Trained, Trainer, register, silent
from .model import Scaled, build_model
from .strategies import STRATEGIES, make_cosine

EPOCHS, FEWEST_STEPS = 15, 100
CURVE_POINTS = 5
CURVE_IMAGES = 128  # of the test set, evenly spaced: enough for a figure
BATCH = 512  # of images that are only looked at
JUDGE_STEPS = 2  # times the steps of an arm: its mistakes are counted as the generators'
Positive = Annotated[float, Field(gt=0)]


@dataclass(frozen=True)
class Config:
    """How every arm's classifier is trained: `--set classifier.lr=…`.

    SGD with Nesterov momentum under a one-cycle schedule (Smith & Topin 2019) that peaks at `lr`. `steps` left out are
    15 epochs of the full set.
    """

    model: str = "resnet18"
    pretrained: bool = False
    steps: Annotated[int, Field(gt=0)] | None = None
    batch_size: Annotated[int, Field(gt=1)] = 128
    lr: Positive = 0.1
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9
    weight_decay: Annotated[float, Field(ge=0)] = 5e-4
    augment: bool = True


@dataclass(frozen=True)
class ImageModel(Model):
    """A trained network of `classes` for images of `shape`; `shift` (K,) is taken off the logits."""

    network: Scaled
    config: Config
    classes: int
    shape: tuple[int, ...]
    strategy: str
    shift: torch.Tensor

    def probabilities(self, x: Images) -> Scores:
        """(N, K) float32 of images (N, H, W, C) uint8."""
        images = _to_tensor(x, self.shift.device).contiguous()
        size = self.config.batch_size * 4
        return _predict(self.network, images, size, self.shift.device, self.shift).cpu().numpy()

    def features(self, x: Images) -> Scores:
        """(N, D) float32: what the last layer is given."""
        return self.look(x)[0]

    @torch.inference_mode()
    def look(self, x: Images) -> tuple[Scores, Scores]:
        """Features and probabilities, in single precision."""
        features, logits = [], []
        for start in range(0, len(x), BATCH):
            own = self.network.features(_to_tensor(x[start : start + BATCH], self.shift.device))
            logits.append(self.network.model.forward_head(own).float())
            features.append(self.network.model.forward_head(own, pre_logits=True).float())
        return torch.cat(features).cpu().numpy(), (torch.cat(logits) - self.shift).softmax(1).cpu().numpy()

    def save(self, folder: Path) -> None:
        """model.safetensors and model.json."""
        weights = {name: value.contiguous() for name, value in self.network.state_dict().items()}
        save_file(weights, folder / "model.safetensors")
        about = {
            "config": asdict(self.config),
            "classes": self.classes,
            "shape": self.shape,
            "strategy": self.strategy,
            "shift": self.shift.tolist(),
        }
        (folder / "model.json").write_text(json.dumps(about))


@register("images")
class ImageTrainer(Trainer):
    """A timm model, by default a ResNet-18."""

    Config = Config
    default = "resnet18"
    strategies = STRATEGIES

    def settle(self, config: Config, train: DataSet) -> Config:
        """With a number of steps. The model is built once, so that an unknown name or absent weights are told now."""
        steps = config.steps or max(FEWEST_STEPS, math.ceil(EPOCHS * len(train) / config.batch_size))
        model = build_model(config.model, len(train.class_names), train.shape, config.pretrained)
        try:
            with torch.inference_mode():
                model.eval()(torch.from_numpy(train.x[:1]).permute(0, 3, 1, 2))
        except Exception as error:
            height, width = train.shape[:2]
            reason = traceback.format_exception_only(error)[-1].strip()
            raise FillbenchError(f"classifier '{config.model}' cannot take {height}x{width} images: {reason}") from None
        return replace(config, steps=steps)

    def judge(self, config: Config) -> Config:
        """Twice the steps, without pretrained weights."""
        assert config.steps is not None
        return replace(config, steps=JUDGE_STEPS * config.steps, pretrained=False)

    def open(self, folder: Path, device: torch.device) -> ImageModel:
        """The network with the weights that `ImageModel.save` wrote, on the device."""
        about = json.loads((folder / "model.json").read_text())
        config = build(Config, about["config"], f"'{folder}'")
        network = build_model(config.model, about["classes"], tuple(about["shape"]), pretrained=False)
        if STRATEGIES[about["strategy"]].cosine:
            make_cosine(network)
        network.load_state_dict(load_file(folder / "model.safetensors"))
        shift = torch.tensor(about["shift"], device=device)
        network = network.to(device).eval()
        return ImageModel(network, config, about["classes"], tuple(about["shape"]), about["strategy"], shift)

    def train(
        self,
        config: Config,
        data: DataSet,
        test: DataSet,
        seed: int,
        device: torch.device,
        progress: Callable[[int, int], None] = silent,
        strategy: str = CE,
    ) -> Trained:
        """Trains for `config.steps` steps, by a way of STRATEGIES, and predicts `test` with the last weights.

        The same seed gives the same initial weights and augmentation draws whatever `data` holds, and the same batch
        order whenever it holds equally many images.
        Loss and accuracy on a few test images along the way are logged for the figures; nothing is chosen by them.
        Raises FillbenchError when the loss stops being a number.
        """
        assert config.steps is not None, "settle comes before train"
        way = STRATEGIES[strategy]
        with seeded(seed):
            model = build_model(config.model, len(data.class_names), data.shape, config.pretrained)
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
        shape = data.shape
        trained = ImageModel(model.eval(), config, len(counts), shape, strategy, shift)
        return Trained(probabilities.cpu().numpy(), curve, trained)


def _on_device(data: DataSet, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """All of a data set as (N, C, H, W) uint8 and (N,) int64 on the device: small images need no loader."""
    return _to_tensor(data.x, device).contiguous(), torch.from_numpy(np.array(data.labels)).to(device)


def _to_tensor(x: Images, device: torch.device) -> torch.Tensor:
    """(N, H, W, C) uint8 as (N, C, H, W) uint8 on the device."""
    return torch.from_numpy(np.array(x)).to(device).permute(0, 3, 1, 2)


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
    training = model.training
    model.eval()
    with _precision(device):
        logits = torch.cat([model(chunk).float() for chunk in images.split(batch_size)])
    model.train(training)
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
