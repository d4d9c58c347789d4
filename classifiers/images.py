"""Images by a timm model."""

from __future__ import annotations

import json
import math
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from ..compute import memory_of, native_bfloat16, out_of_memory, seeded
from ..datasets.base import DataSet, Images
from ..errors import FillbenchError
from ..settings import build
from . import memory, training
from .base import CE, Model, Scores, Trained, Trainer, register, silent
from .cosine import make_cosine
from .model import Scaled, build_model
from .probe import Cost, precision_of, try_step
from .strategies import STRATEGIES, Strategy
from .training import Config

EPOCHS, FEWEST_STEPS = 15, 100
BATCH = 512  # of images that are only looked at
FEW = 4  # images that a step is tried with
JUDGE_STEPS = 2  # times the steps of an arm: its mistakes are counted as the generators'


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
        images = training.to_tensor(x, self.shift.device).contiguous()
        size, dtype = training.prediction_batch(self.config), self.config.dtype
        return training.predict(self.network, images, size, dtype, self.shift).cpu().numpy()

    def shifted(self, shift: Scores) -> ImageModel:
        """The same network with `shift` (K,) taken off its logits."""
        return replace(self, shift=torch.from_numpy(shift).to(self.shift.device))

    def features(self, x: Images) -> Scores:
        """(N, D) float32: what the last layer is given."""
        return self.look(x)[0]

    @torch.inference_mode()
    def look(self, x: Images) -> tuple[Scores, Scores]:
        """Features and probabilities, in single precision."""
        features, logits = [], []
        for start in range(0, len(x), BATCH):
            own = self.network.features(training.to_tensor(x[start : start + BATCH], self.shift.device))
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

    Config = training.Config
    default = "resnet18"
    strategies = STRATEGIES

    @classmethod
    def models(cls) -> dict[str, str]:
        """Every model of timm."""
        import timm

        names = timm.list_models(pretrained=True)
        known = set(names) | {name.split(".")[0] for name in names}
        return {name: "pretrained weights to be had" if name in known else "" for name in timm.list_models()}

    def settle(self, config: training.Config, train: DataSet, device: torch.device) -> training.Config:
        """With a number of steps and a precision.

        A step is tried with a few images, so that an unknown name, absent weights, images that the model cannot take
        and too little memory are told now.
        """
        steps = config.steps or max(FEWEST_STEPS, math.ceil(EPOCHS * len(train) / config.batch_size))
        needed = memory.needed(self.cost(config, train, device), config, train)
        if needed > memory_of(device)[0]:
            raise FillbenchError(memory.advice(needed, config, train, device))
        if config.precision == "auto":
            with _enough_memory(config, train, device):
                config = replace(config, precision="bfloat16" if self._fast(config, train, device) else "float32")
        return replace(config, steps=steps)

    def _fast(self, config: training.Config, train: DataSet, device: torch.device) -> bool:
        """Whether bfloat16 will do."""
        if not native_bfloat16(device):
            return False
        trial = partial(precision_of, partial(_plain, config, train), train, device, config.batch_size)
        return self.once(_about("bfloat16", config), lambda: trial() == torch.bfloat16)

    def cost(self, config: training.Config, train: DataSet, device: torch.device) -> Cost:
        """Of a step with a few images. Raises FillbenchError when the model cannot take them."""
        found = self.once(_about("cost", config), lambda: asdict(self._try(config, train, device)))
        return Cost(**{**found, "sees": tuple(found["sees"])})

    def _try(self, config: training.Config, train: DataSet, device: torch.device) -> Cost:
        try:
            with _enough_memory(config, train, device):
                return try_step(partial(_plain, config, train), train, device, min(FEW, config.batch_size))
        except FillbenchError:
            raise
        except Exception as error:
            height, width = train.shape[:2]
            reason = traceback.format_exception_only(error)[-1].strip()
            raise FillbenchError(f"classifier '{config.model}' cannot take {height}x{width} images: {reason}") from None

    def warnings(self, config: training.Config, train: DataSet, device: torch.device) -> list[str]:
        """That images are enlarged, and what that costs; that memory is short."""
        assert config.steps is not None, "settle comes before warnings"
        told = []
        cost = self.cost(config, train, device)
        height, width = train.shape[:2]
        tall, wide = cost.sees
        if tall * wide > height * width:
            minutes = cost.seconds * config.batch_size * config.steps / 60
            told.append(
                f"{config.model} sees {height}x{width} images enlarged to {tall}x{wide}: each training of "
                f"{config.steps} steps will take about {minutes:.2g} minutes here"
            )
        needed = memory.needed(cost, config, train)
        if needed > memory_of(device)[1]:
            told.append(memory.advice(needed, config, train, device))
        return told

    def refuses(self, config: training.Config, train: DataSet, strategy: str) -> str | None:
        """A cosine layer takes the place of a linear one only."""
        way = self.strategies.get(strategy)()
        if not way.cosine:
            return None

        def trial() -> str | None:
            try:
                _network(config, len(train.class_names), train.shape, way, weights=False)
            except FillbenchError as error:
                return str(error)
            return None

        return self.once({**_about("refuses", config), "strategy": strategy}, trial)

    def judge(self, config: training.Config) -> tuple[training.Config, str]:
        """Twice the steps, without pretrained weights, by balanced softmax."""
        assert config.steps is not None
        return replace(config, steps=JUDGE_STEPS * config.steps, pretrained=False), "balanced-softmax"

    def open(self, folder: Path, device: torch.device) -> ImageModel:
        """The network with the weights that `ImageModel.save` wrote, on the device."""
        about = json.loads((folder / "model.json").read_text())
        config = build(training.Config, about["config"], f"'{folder}'")
        classes, shape, strategy = about["classes"], tuple(about["shape"]), about["strategy"]
        network = _network(config, classes, shape, self.strategies.get(strategy)(), weights=False)
        network.load_state_dict(load_file(folder / "model.safetensors"))
        shift = torch.tensor(about["shift"], device=device)
        return ImageModel(training.place(network, device, config.dtype).eval(), config, classes, shape, strategy, shift)

    def train(
        self,
        config: training.Config,
        data: DataSet,
        test: DataSet,
        seed: int,
        device: torch.device,
        progress: Callable[[int, int], None] = silent,
        strategy: str = CE,
        kept: int | None = None,
        weight: float = 1.0,
    ) -> Trained:
        """Trains for `config.steps` steps, by the strategy of that name, and predicts `test` with the last weights.

        The same seed gives the same initial weights and augmentation draws whatever `data` holds, and the same batch
        order whenever it holds equally many images.
        The record is told the precision, and how many steps had to be done again in float32.
        Raises FillbenchError when the loss stops being a number, or the memory is too small.
        """
        way = self.strategies.get(strategy)()
        with _enough_memory(config, data, device), seeded(seed):
            network = _network(config, len(data.class_names), data.shape, way)
            network = training.place(network, device, config.dtype)
            probabilities, curve, again = training.fit(
                network, way, config, data, test, seed, device, progress, kept, weight
            )
        classes = len(data.class_names)
        no_shift = torch.zeros(classes, device=device)
        model = ImageModel(network.eval(), config, classes, data.shape, strategy, no_shift)
        facts = {"precision": str(config.dtype).removeprefix("torch."), "steps_again_in_float32": again}
        return Trained(probabilities.cpu().numpy(), curve, model, facts)


@contextmanager
def _enough_memory(config: training.Config, data: DataSet, device: torch.device) -> Iterator[None]:
    """Raises FillbenchError, with sizes and what to type, when an allocator finds no room."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not out_of_memory(error):
            raise
        raise FillbenchError(memory.advice(None, config, data, device)) from None


def _about(what: str, config: training.Config) -> dict[str, Any]:
    """What a trial depends on besides the data and the machine."""
    names = ("model", "pretrained", "stem_stride", "batch_size")
    return {"what": what, **{name: getattr(config, name) for name in names}}


def _built(config: training.Config, classes: int, shape: tuple[int, ...], *, weights: bool = True) -> Scaled:
    stride = config.stem_stride
    return build_model(config.model, classes, shape, config.pretrained, stem_stride=stride, weights=weights)


def _plain(config: training.Config, train: DataSet) -> Scaled:
    """The network for data like `train`, as plain cross-entropy trains it."""
    return _built(config, len(train.class_names), train.shape)


def _network(
    config: training.Config, classes: int, shape: tuple[int, ...], strategy: Strategy, *, weights: bool = True
) -> Scaled:
    network = _built(config, classes, shape, weights=weights)
    if strategy.cosine:
        make_cosine(network.model)
    return network
