"""An independent classifier, trained once on all real training images: it says what synthetic images show.

No arm is trained with it or chosen by it. It shares the architecture of the arms' classifier, not the seed.
"""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch import nn

from ..classifiers.model import Scaled, build_model
from ..classifiers.training import Config, train
from ..datasets.base import Images, ImageSet

SEED = 1_000_003  # no arm's
LONGER = 2  # times the steps of an arm: its mistakes are counted as the generators'
BATCH = 512
DINO = "vit_small_patch14_dinov2.lvd142m"  # Oquab et al. 2023; sees natural images better than a small classifier
DINO_SIDE = 98


@dataclass(frozen=True)
class Judge:
    """Labels by the classifier `model`, features by `eye` or, where that is None, by the classifier too.

    `recall`: of each class, how many of its real test images are recognised, the most that label fidelity can be.
    `seconds`: what its training took.
    `known`: of the real 'train' and 'test' images of the filled classes, their indices, features and found labels.
    """

    model: Scaled
    eye: nn.Module | None
    name: str
    recall: list[float]
    known: dict[str, dict[str, NDArray[Any]]]
    seconds: float = 0.0

    def features_of(self, part: str, indices: NDArray[np.int64], device: torch.device) -> torch.Tensor:
        """The features (N, D) of real images of a filled class, by their indices in the 'train' or 'test' part."""
        return torch.from_numpy(self._known(part, indices, "features")).to(device)

    def recognised(self, part: str, indices: NDArray[np.int64], label: int) -> float:
        """The share of real images of a filled class that is taken for it."""
        return float((self._known(part, indices, "labels") == label).mean())

    def _known(self, part: str, indices: NDArray[np.int64], what: str) -> NDArray[Any]:
        known = self.known[part]
        return known[what][np.searchsorted(known["rows"], indices)]

    @torch.inference_mode()
    def look(self, images: Images, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
        """(N, H, W, C) uint8 as features (N, D) float32 and predicted labels (N,) on the device."""
        features, labels = [], []
        for start in range(0, len(images), BATCH):
            batch = to_tensor(images[start : start + BATCH], device)
            own = self.model.features(batch)
            labels.append(self.model.model.forward_head(own).argmax(1))
            flat = self.model.model.forward_head(own, pre_logits=True)
            features.append(flat if self.eye is None else self.eye(batch))
        return torch.cat(features).float(), torch.cat(labels)


def to_tensor(images: Images, device: torch.device) -> torch.Tensor:
    """(N, H, W, C) uint8 as (N, C, H, W) uint8 on the device."""
    return torch.from_numpy(np.ascontiguousarray(images)).to(device).permute(0, 3, 1, 2)


def make_judge(config: Config, parts: dict[str, ImageSet], labels: list[int], device: torch.device, new: Path) -> None:
    """Trains the independent classifier on all of parts['train'], and leaves it in the folder `new`.

    With it the features of the real images of classes `labels`. Rare classes weigh as much as others.
    """
    start = time.perf_counter()
    longer = replace(config, steps=LONGER * config.steps, pretrained=False)
    test = parts["test"]
    trained = train(longer, parts["train"], test, SEED, device, strategy="balanced-softmax")
    found = trained.probabilities.argmax(1)
    recall = [float((found[test.labels == label] == label).mean()) for label in range(len(test.class_names))]
    judge = Judge(trained.model, _eye(test.images.shape[3], device), "", recall, {})
    weights = {name: value.contiguous() for name, value in trained.model.state_dict().items()}
    save_file(weights, new / "model.safetensors")
    for part, data in parts.items():
        rows = np.flatnonzero(np.isin(data.labels, labels))
        features, found = judge.look(data.images[rows], device)
        for name, values in (("rows", rows), ("features", features.cpu().numpy()), ("labels", found.cpu().numpy())):
            np.save(new / f"{part}_{name}.npy", values)
    meta = {"config": asdict(longer), "recall": recall, "seconds": time.perf_counter() - start}
    (new / "meta.json").write_text(json.dumps(meta))


@lru_cache(maxsize=1)
def read_judge(entry: Path, classes: int, shape: tuple[int, int, int], device: torch.device) -> Judge:
    """The judge that lies in the folder `entry`, on the device."""
    meta = json.loads((entry / "meta.json").read_text())
    config = Config(**meta["config"])
    model = build_model(config.model, classes, shape, pretrained=False)
    model.load_state_dict(load_file(entry / "model.safetensors"))
    eye = _eye(shape[2], device)
    name = f"independent {config.model}" if eye is None else "DINOv2 (ViT-S/14)"
    known = {
        part: {
            name: np.load(entry / f"{part}_{name}.npy", mmap_mode="r", allow_pickle=False)
            for name in ("rows", "features", "labels")
        }
        for part in ("train", "test")
    }
    return Judge(model.to(device).eval(), eye, name, meta["recall"], known, meta["seconds"])


def _eye(channels: int, device: torch.device) -> nn.Module | None:
    """DINOv2 for colour images, if its weights lie in the hub's cache: they are never fetched for an audit."""
    return dino().to(device).eval() if channels == 3 and dino_is_here() else None


def dino_is_here() -> bool:
    """Whether DINOv2's weights lie in the hub's cache."""
    from huggingface_hub import try_to_load_from_cache

    return isinstance(try_to_load_from_cache(f"timm/{DINO}", "model.safetensors"), str)


def dino() -> nn.Module:
    """DINOv2 that takes uint8 images."""
    import timm

    model: Any = timm.create_model(DINO, pretrained=True, num_classes=0, img_size=DINO_SIDE)
    return Scaled(model, model.pretrained_cfg["mean"], model.pretrained_cfg["std"], DINO_SIDE)
