"""imbalanced-learn's manner: what makes a generator a sampler for its pipelines and scikit-learn's searches."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray

from ..compute import pick_device
from ..datasets.base import Array, DataSet, Images
from ..datasets.images import ImageTraits
from ..errors import FillbenchError
from ..settings import build


class Resampler(ABC):
    """`fit_resample`, and what scikit-learn needs to copy a sampler and to try its settings."""

    name: ClassVar[str]
    Config: ClassVar[type]
    config: Any
    seed: int
    device: torch.device
    sampling_strategy: Any

    @abstractmethod
    def fit(self, train: DataSet, labels: Iterable[int]) -> Self:
        """Learns from `train`."""

    @abstractmethod
    def fill(self, deficits: Mapping[int, int]) -> tuple[Array, NDArray[np.int64]]:
        """As many examples as `deficits` has, {label: count}, and their labels."""

    def fit_resample(self, images: Images, labels: NDArray[Any]) -> tuple[Images, NDArray[Any]]:
        """The images and labels given, then the new ones.

        images: (N, H, W), (N, H, W, 1) or (N, H, W, 3) uint8. labels: (N,), any type. How many of which class are
        made follows `sampling_strategy`, as in imbalanced-learn's over-samplers.
        Raises FillbenchError for other shapes or types, or a strategy that does not fit the labels.
        """
        from imblearn.utils import check_sampling_strategy

        images, labels = np.asarray(images), np.asarray(labels)
        _check_images(images)
        classes, codes = _classes(labels, len(images))
        try:
            strategy = check_sampling_strategy(self.sampling_strategy, labels, "over-sampling")
        except (ValueError, TypeError, AttributeError, KeyError) as error:
            raise FillbenchError(f"sampling_strategy = {self.sampling_strategy!r} will not do: {error}") from None
        code = {value: index for index, value in enumerate(classes.tolist())}
        deficits = {code[label]: int(count) for label, count in strategy.items() if count}
        pixels = images if images.ndim == 4 else images[..., None]
        train = DataSet(pixels.copy(), codes.astype(np.int64), tuple(str(value) for value in classes), ImageTraits())
        made, made_codes = self.fit(train, deficits).fill(deficits)
        made = made if images.ndim == 4 else made[..., 0]
        return np.concatenate([images, made]), np.concatenate([labels, classes[made_codes]])

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The settings by name, with `random_state` (the seed, also where it was drawn), `device`, the strategy."""
        own = {field.name: getattr(self.config, field.name) for field in dataclasses.fields(self.config)}
        return {
            "random_state": self.seed,
            "device": str(self.device),
            "sampling_strategy": self.sampling_strategy,
            **own,
        }

    def set_params(self, **params: Any) -> Self:
        """Changes settings by name. Raises FillbenchError for an unknown one, or a value that will not do."""
        if "random_state" in params:
            self.seed = seed_of(params.pop("random_state"))
        if "device" in params:
            self.device = pick_device(params.pop("device"))
        self.sampling_strategy = params.pop("sampling_strategy", self.sampling_strategy)
        own = {field.name: getattr(self.config, field.name) for field in dataclasses.fields(self.config)}
        self.config = build(self.Config, {**own, **params}, f"generator '{self.name}'")
        return self

    def __sklearn_clone__(self) -> Self:
        """One with the same settings that was not fitted."""
        return type(self)(  # type: ignore[call-arg]
            self.config, seed=self.seed, device=self.device, sampling_strategy=self.sampling_strategy
        )


def seed_of(random_state: Any) -> int:
    """The seed that `random_state` stands for: itself, or for None a new one. Raises FillbenchError otherwise."""
    if random_state is None:
        return int(np.random.SeedSequence().generate_state(1)[0])
    if not (isinstance(random_state, int | np.integer) and 0 <= random_state < 2**32):
        raise FillbenchError(f"random_state = {random_state!r} will not do: give None, or a whole number from 0")
    return int(random_state)


def _check_images(images: Array) -> None:
    if images.dtype != np.uint8:
        raise FillbenchError(f"fit_resample takes uint8 images, 0 to 255, not {images.dtype}")
    if images.ndim not in (3, 4) or 0 in images.shape or (images.ndim == 4 and images.shape[-1] not in (1, 3)):
        first = images.ndim == 4 and images.shape[1] in (1, 3)
        raise FillbenchError(
            f"fit_resample takes images (N, H, W), or (N, H, W, C) with C 1 or 3, not {images.shape}"
            + ("; move the channels last: images.transpose(0, 2, 3, 1)" if first else "")
        )


def _classes(labels: Array, count: int) -> tuple[Array, Array]:
    """The distinct labels, ascending, and the index of each image's among them."""
    import pandas as pd

    if labels.shape != (count,):
        raise FillbenchError(f"fit_resample takes one label for each of {count} images, (N,), not {labels.shape}")
    if missing := int(pd.isna(labels).sum()):
        raise FillbenchError(f"{missing} of {count} labels are missing (NaN or None); leave these images out")
    try:
        return np.unique(labels, return_inverse=True)
    except TypeError:
        kinds = sorted({type(label).__name__ for label in labels})
        raise FillbenchError(f"the labels are of several types ({', '.join(kinds)}); make them one") from None
