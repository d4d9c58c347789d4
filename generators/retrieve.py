"""Real images that are like the kept ones, from a pool: what a generator with outside knowledge has to beat.

Geng et al. 2024, "The Unmet Promise of Synthetic Training Images: Using Retrieved Real Images Performs Better"
(https://arxiv.org/abs/2406.05184).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch.nn import functional as F

from ..datasets.base import DataSet, Images
from ..datasets.builtin import DATASETS, load_named
from ..datasets.decode import read_images
from ..datasets.npz import as_images, read_arrays
from ..datasets.reading import Notes, ReadOptions
from ..datasets.sizes import resize
from ..disk import sha256_of_all
from ..errors import CannotFill, did_you_mean
from .base import Generator, register
from .image_features import DINO_NAME, Features, dino_is_here, dino_on, pooled, unit_rows
from .made_images import recolour
from .state import State

AT_ONCE = 512
PIXELS = "correlation of coarse pixels"


@register("retrieve")
class Retrieve(Generator):
    """Real images from a pool, the nearest in features to the kept ones (Geng 2024)"""

    external_data = True
    control = True

    @dataclass(frozen=True)
    class Config:
        """`pool`: a folder of images, whatever its folders are called, an .npz or .npy file of images, or a data set by
        name, whose training images are taken and whose files lie in `data_dir`."""

        pool: str
        data_dir: str = "data"

    def available(self) -> str | None:
        """Says so when there is no such pool."""
        path = self._path
        if self.config.pool in DATASETS or path.exists():
            return None
        return f"'{path}' is no folder, no file and no data set; {did_you_mean(self.config.pool, DATASETS)}"

    def inputs(self) -> str:
        """The hash of every file of the pool, or its name."""
        return self.config.pool if self.config.pool in DATASETS else sha256_of_all(self._path)

    @property
    def _path(self) -> Path:
        return Path(self.config.pool).expanduser()

    def _fit(self, train: DataSet, labels: tuple[int, ...]) -> None:
        self._pool = self._read(train)
        features, self.facts["features"] = _features(train, self.device)
        seen = _seen(features, self._pool, self.device)
        kept = {image.tobytes() for image in train.x}
        new = np.array([image.tobytes() not in kept for image in self._pool])
        self.facts |= {"pool": len(new), "pool_images_that_are_kept_ones": int((~new).sum())}
        self._order = {}
        for label in labels:
            own = train.of_class(label)
            if not len(own):
                raise CannotFill(f"{self.name}: no images to be like in class {train.class_names[label]}")
            nearest = (seen @ _seen(features, own, self.device).T).max(1).values.cpu().numpy()
            ranked = np.argsort(-nearest, kind="stable")
            self._order[label] = ranked[new[ranked]]

    def _state(self) -> State:
        return {"order": {str(label): order for label, order in self._order.items()}}  # the pool is read again

    def _restore(self, train: DataSet, state: State) -> None:
        self._pool = self._read(train)
        self._order = {int(label): order for label, order in state["order"].items()}

    def _sample(self, label: int, count: int) -> Images:
        order = self._order[label]
        if len(order) < count:
            raise CannotFill(
                f"{self.name}: the pool '{self.config.pool}' has {len(order)} images besides the kept ones, "
                f"{count} are needed; name a larger pool, or lower --fill"
            )
        return self._pool[self.rng.permutation(order[:count])]

    def _read(self, train: DataSet) -> Images:
        """The pool in the size and colours of `train`, without repetitions."""
        size = train.x.shape[1], train.x.shape[2]
        found = self._found(train, size)
        images = np.concatenate([recolour(resize(part, size), train.x.shape[3]) for part in found])
        _, first = np.unique(images.reshape(len(images), -1), axis=0, return_index=True)
        return images[np.sort(first)]

    def _found(self, train: DataSet, size: tuple[int, int]) -> list[Images]:
        """The parts that the pool comes in, each of one size and colours."""
        if self.config.pool in DATASETS:
            pool = load_named(self.config.pool, Path(self.config.data_dir).expanduser()).train
            if pool.traits.kind != train.traits.kind:
                raise CannotFill(f"{self.name}: '{self.config.pool}' holds {pool.traits.plural}, no images")
            return [pool.x]
        path = self._path
        if path.is_file():
            arrays = {name: array for name, array in read_arrays(path).items() if array.ndim > 2}
            if not arrays:
                raise CannotFill(f"{self.name}: '{path}' holds no images")
            return [as_images(array, f"{name} of '{path}'") for name, array in sorted(arrays.items())]
        known = Image.registered_extensions()
        files = sorted(file for file in path.rglob("*") if file.suffix.lower() in known and file.name[0] != ".")
        if not files:
            raise CannotFill(f"{self.name}: there are no images in '{path}'")
        options = ReadOptions(bits=train.traits.bits, ground=train.traits.ground)
        return [read_images(files, options, Notes(), size)[0]]


def _features(train: DataSet, device: torch.device) -> tuple[Features, str]:
    """What images are compared by, and what it is called."""
    if train.x.shape[3] == 3 and dino_is_here():
        eye = dino_on(device)
        return (lambda images: F.normalize(eye(images))), DINO_NAME
    return (lambda images: unit_rows(pooled(images.permute(0, 3, 1, 2)))), PIXELS


@torch.inference_mode()
def _seen(features: Features, images: Images, device: torch.device) -> torch.Tensor:
    parts = [np.ascontiguousarray(images[start : start + AT_ONCE]) for start in range(0, len(images), AT_ONCE)]
    return torch.cat([features(torch.from_numpy(part).to(device)) for part in parts])
