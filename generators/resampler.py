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
from ..errors import FillbenchError, UnfitData
from ..settings import build
from .given import given
from .given_labels import given_labels

OF_FIT_RESAMPLE = ("sampling_strategy_", "n_features_in_", "feature_names_in_")


class Resampler(ABC):
    """`fit_resample`, and what scikit-learn needs to copy a sampler and to try its settings."""

    name: ClassVar[str]
    Config: ClassVar[type]
    config: Any
    seed: int
    device: torch.device
    sampling_strategy: Any
    sampling_strategy_: Mapping[Any, int]

    @abstractmethod
    def fit(self, train: DataSet, labels: Iterable[int]) -> Self:
        """Learns from `train`."""

    @abstractmethod
    def fill(self, deficits: Mapping[int, int]) -> tuple[Array, NDArray[np.int64]]:
        """As many examples as `deficits` has, {label: count}, and their labels."""

    def fit_resample(self, X: Any, y: Any) -> tuple[Any, Any]:  # noqa: N803 - scikit-learn's names
        """The examples and labels given, then the new ones.

        X: images (N, H, W), (N, H, W, 1) or (N, H, W, 3) uint8; or rows, a data frame or numbers (N, F). y:
        (N,) of any type, or one-hot (N, classes). How many of which class are made follows `sampling_strategy`, as in
        imbalanced-learn's over-samplers. A data frame keeps its columns and their types, a Series of labels its name.
        Raises UnfitData for other shapes or types, or a strategy that does not fit the labels.
        """
        from imblearn.utils import check_sampling_strategy

        found = given(X)
        known = given_labels(y, len(found.x), found.traits.plural)
        if len(known.classes) < 2:
            raise UnfitData(f"the labels are '{known.classes[0]}' everywhere; filling takes two classes or more")
        try:
            strategy = check_sampling_strategy(self.sampling_strategy, known.values, "over-sampling")
        except (ValueError, TypeError, AttributeError, KeyError) as error:
            raise UnfitData(f"sampling_strategy = {self.sampling_strategy!r} will not do: {error}") from None
        self._look(X, found.x, strategy)
        code = {value: index for index, value in enumerate(known.classes.tolist())}
        deficits = {code[label]: int(count) for label, count in strategy.items() if count}
        train = DataSet(found.x, known.codes, tuple(str(value) for value in known.classes), found.traits)
        made, made_codes = self.fit(train, deficits).fill(deficits)
        return found.joined(made), known.as_given(np.concatenate([known.values, known.classes[made_codes]]))

    def _look(self, X: Any, x: Array, strategy: Mapping[Any, int]) -> None:  # noqa: N803
        """Sets what scikit-learn's fitted estimators tell."""
        for name in OF_FIT_RESAMPLE:
            vars(self).pop(name, None)
        self.sampling_strategy_ = strategy
        if x.ndim == 2:
            self.n_features_in_ = x.shape[1]
        if hasattr(X, "columns"):
            self.feature_names_in_ = np.array([str(name) for name in X.columns], dtype=object)

    def get_feature_names_out(self, input_features: Any = None) -> Array:
        """The names of the columns, which stay the same."""
        from sklearn.base import OneToOneFeatureMixin

        return OneToOneFeatureMixin.get_feature_names_out(self, input_features)

    def __sklearn_tags__(self) -> Any:
        """What scikit-learn and imbalanced-learn ask of a sampler: as their SMOTE, but of no sparse matrices."""
        from imblearn.over_sampling import SMOTE

        tags = SMOTE().__sklearn_tags__()
        tags.input_tags.sparse = False
        return tags

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
