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
from ..datasets.base import Array, DataSet
from ..errors import FillbenchError
from ..settings import build
from .given import given


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

    def fit_resample(self, examples: Any, labels: Any) -> tuple[Any, Any]:
        """The examples and labels given, then the new ones.

        examples: images (N, H, W), (N, H, W, 1) or (N, H, W, 3) uint8; or rows, a data frame or numbers (N, F). labels:
        (N,), any type. How many of which class are made follows `sampling_strategy`, as in imbalanced-learn's
        over-samplers. A data frame keeps its columns and their types, a Series of labels its name.
        Raises FillbenchError for other shapes or types, or a strategy that does not fit the labels.
        """
        from imblearn.utils import check_sampling_strategy

        found, named, labels = given(examples), labels, np.asarray(labels)
        classes, codes = _classes(labels, len(found.x), found.traits.plural)
        try:
            strategy = check_sampling_strategy(self.sampling_strategy, labels, "over-sampling")
        except (ValueError, TypeError, AttributeError, KeyError) as error:
            raise FillbenchError(f"sampling_strategy = {self.sampling_strategy!r} will not do: {error}") from None
        code = {value: index for index, value in enumerate(classes.tolist())}
        deficits = {code[label]: int(count) for label, count in strategy.items() if count}
        train = DataSet(found.x, codes.astype(np.int64), tuple(str(value) for value in classes), found.traits)
        made, made_codes = self.fit(train, deficits).fill(deficits)
        filled = np.concatenate([labels, classes[made_codes]])
        return found.joined(made), _as(named, filled)

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


def _as(labels: Any, values: Array) -> Any:
    """Labels as they were given: a pandas Series, or an array."""
    if not hasattr(labels, "iloc"):
        return values
    import pandas as pd

    return pd.Series(values, name=labels.name)


def _classes(labels: Array, count: int, plural: str) -> tuple[Array, Array]:
    """The distinct labels, ascending, and the index of each example's among them."""
    import pandas as pd

    if labels.shape != (count,):
        raise FillbenchError(f"fit_resample takes one label for each of {count} {plural}, (N,), not {labels.shape}")
    if missing := int(pd.isna(labels).sum()):
        raise FillbenchError(f"{missing} of {count} labels are missing (NaN or None); leave these {plural} out")
    try:
        return np.unique(labels, return_inverse=True)
    except TypeError:
        kinds = sorted({type(label).__name__ for label in labels})
        raise FillbenchError(f"the labels are of several types ({', '.join(kinds)}); make them one") from None
