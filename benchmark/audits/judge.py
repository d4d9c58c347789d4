"""An independent classifier, trained once on all real training examples: it says what synthetic ones show.

No arm is trained with it or chosen by it. It shares the architecture of the arms' classifier, not the seed.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ...classifiers.base import Model, Trainer, trainer_of
from ...datasets.base import Array, DataSet, Split
from .base import Auditor, Eye, auditor_of

SEED = 1_000_003  # no arm's
BATCH = 512


@dataclass(frozen=True)
class Judge:
    """Labels by the classifier `model`, features by `eye` or, where that is None, by the classifier too.

    `recall`: of each class, how many of its real test examples are recognised, the most that label fidelity can be.
    `seconds`: what its training took.
    `known`: of the real 'train' and 'test' examples of the filled classes, their indices, features and found labels.
    """

    model: Model
    eye: Eye | None
    name: str
    recall: list[float]
    known: dict[str, dict[str, NDArray[Any]]]
    device: torch.device
    seconds: float = 0.0

    def features_of(self, part: str, indices: NDArray[np.int64]) -> torch.Tensor:
        """The features (N, D) of real examples of a filled class, by their indices in the 'train' or 'test' part."""
        return torch.from_numpy(self._known(part, indices, "features")).to(self.device)

    def recognised(self, part: str, indices: NDArray[np.int64], label: int) -> float:
        """The share of real examples of a filled class that is taken for it."""
        return float((self._known(part, indices, "labels") == label).mean())

    def _known(self, part: str, indices: NDArray[np.int64], what: str) -> NDArray[Any]:
        known = self.known[part]
        return known[what][np.searchsorted(known["rows"], indices)]

    def look(self, x: Array) -> tuple[torch.Tensor, NDArray[np.int64]]:
        """Examples (N, …) as features (N, D) float32 on the device, and as predicted labels (N,)."""
        features, probabilities = self.model.look(x)
        seen = torch.from_numpy(features).to(self.device) if self.eye is None else _seen(self.eye, x, self.device)
        return seen, probabilities.argmax(1)


@torch.inference_mode()
def _seen(eye: Eye, x: Array, device: torch.device) -> torch.Tensor:
    parts = [torch.from_numpy(np.array(x[start : start + BATCH])).to(device) for start in range(0, len(x), BATCH)]
    return torch.cat([eye(part) for part in parts]).float()


def make_judge(config: Any, split: Split, labels: list[int], device: torch.device, new: Path) -> None:
    """Trains the independent classifier on all of the training part, and leaves it in the folder `new`.

    With it the features of the real examples of classes `labels`. Rare classes weigh as much as others.
    """
    start = time.perf_counter()
    trainer, auditor = _of(split)
    config, strategy = trainer.judge(config)
    trained = trainer.train(config, split.train, split.test, SEED, device, strategy=strategy)
    found, test = trained.probabilities.argmax(1), split.test.labels
    recall = [float((found[test == label] == label).mean()) for label in range(len(split.test.class_names))]
    trained.model.save(new)
    _, eye = _eye(auditor, split.test.shape, device) or ("", None)
    judge = Judge(trained.model, eye, "", recall, {}, device)
    for part, data in _parts(split).items():
        rows = np.flatnonzero(np.isin(data.labels, labels))
        features, found = judge.look(data.x[rows])
        for name, values in (("rows", rows), ("features", features.cpu().numpy()), ("labels", found)):
            np.save(new / f"{part}_{name}.npy", values)
    about = {"model": config.model, "recall": recall, "seconds": time.perf_counter() - start}
    (new / "judge.json").write_text(json.dumps(about))


@lru_cache(maxsize=1)
def read_judge(entry: Path, kind: str, shape: tuple[int, ...], device: torch.device) -> Judge:
    """The judge that lies in the folder `entry`, on the device."""
    about = json.loads((entry / "judge.json").read_text())
    model = trainer_of(kind)().open(entry, device)
    name, eye = _eye(auditor_of(kind), shape, device) or (f"independent {about['model']}", None)
    known = {
        part: {
            name: np.load(entry / f"{part}_{name}.npy", mmap_mode="r", allow_pickle=False)
            for name in ("rows", "features", "labels")
        }
        for part in ("train", "test")
    }
    return Judge(model, eye, name, about["recall"], known, device, about["seconds"])


def _eye(auditor: type[Auditor], shape: tuple[int, ...], device: torch.device) -> tuple[str, Eye] | None:
    found = auditor.eye(shape)
    return (found[0], found[1](device)) if found else None


def _of(split: Split) -> tuple[Trainer, type[Auditor]]:
    kind = split.train.traits.kind
    return trainer_of(kind)(), auditor_of(kind)


def _parts(split: Split) -> dict[str, DataSet]:
    return {"train": split.train, "test": split.test}
