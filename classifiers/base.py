"""What a kind of data needs to be classified: a trainer, and the models that it makes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray

from ..datasets.base import Array, DataSet, Labels
from ..registry import Registry

Scores = NDArray[np.float32]
Thresholds = NDArray[np.float64]
CE = "ce"  # the strategy that changes nothing


class Model(ABC):
    """A trained classifier."""

    @abstractmethod
    def probabilities(self, x: Array) -> Scores:
        """Of every class, (N, K) float32, for N examples."""

    def predict(self, x: Array) -> Labels:
        """The class (N,) that is decided for each of N examples."""
        return self.decide(self.probabilities(x))

    def decide(self, scores: Scores) -> Labels:
        """The class (N,) that is decided by probabilities (N, K)."""
        return (scores if self.thresholds is None else scores / self.thresholds).argmax(1)

    @abstractmethod
    def features(self, x: Array) -> Scores:
        """(N, D) float32: what the last layer is given."""

    def look(self, x: Array) -> tuple[Scores, Scores]:
        """Features and probabilities, in one pass where the model can."""
        return self.features(x), self.probabilities(x)

    @property
    def thresholds(self) -> Thresholds | None:
        """(K,): what probabilities are divided by before the largest decides; None where the most probable class is
        decided."""
        return None

    def shifted(self, shift: Scores) -> Model:
        """The same classifier with `shift` (K,) taken off its logits; of a kind with a strategy that has `shift`."""
        raise NotImplementedError

    @abstractmethod
    def save(self, folder: Path) -> None:
        """Writes into `folder` what `Trainer.open` needs: safetensors and JSON."""


@dataclass(frozen=True)
class Trained:
    """`probabilities` (N_test, K) float32 of the last weights; `curve`, for the figures only; the model itself, whose
    `thresholds` decide.

    `facts`: what the record should tell besides, JSON-able.
    """

    probabilities: Scores
    curve: list[dict[str, float]]
    model: Model
    facts: dict[str, Any] = field(default_factory=dict)


def weighted_counts(data: DataSet, kept: int | None, weight: float) -> NDArray[np.float64]:
    """(K,): the examples of each class, of which the first `kept` count 1 and the others `weight`."""
    real = data.counts() if kept is None else np.bincount(data.labels[:kept], minlength=len(data.class_names))
    return real + weight * (data.counts() - real)


def silent(done: int, total: int) -> None:
    """Progress that nobody watches."""


Once = Callable[[dict[str, Any], Callable[[], Any]], Any]


def anew(about: dict[str, Any], work: Callable[[], Any]) -> Any:
    """Does the work."""
    return work()


class Trainer(ABC):
    """How data of one kind is classified; registered by `@register(KIND)`.

    `Config` is a frozen dataclass of settings, of which the field `model` names the classifier; `default` is the one
    that is taken when none is named. `strategies`: the ways to train on imbalanced data as it is, of which `ce` is the
    plain one.
    """

    kind: ClassVar[str]
    Config: ClassVar[type]
    default: ClassVar[str]
    strategies: ClassVar[Registry[Any]]
    once: Once = staticmethod(anew)
    """`once(about, work)`: what `work()` gives for this data on this machine, JSON-able, or gave before; `about`: all
    else that it depends on. A run keeps it in the store, so that trials are made once."""

    @classmethod
    def models(cls) -> dict[str, str]:
        """The classifiers that there are by name, with a line for each."""
        return {cls.default: ""}

    @abstractmethod
    def settle(self, config: Any, train: DataSet, device: torch.device) -> Any:
        """`config` with everything decided that it leaves to the data or the machine, before anything is run.

        Raises FillbenchError for a model that cannot take this data, or not on this device.
        """

    def warnings(self, config: Any, train: DataSet, device: torch.device) -> list[str]:
        """What whoever starts a run should know of a settled `config` before it begins, in sentences."""
        return []

    def refuses(self, config: Any, train: DataSet, strategy: str) -> str | None:
        """Why the classifier of a settled `config` cannot be trained by a strategy; None when it can."""
        return None

    def weighs(self, config: Any) -> bool:
        """Whether the classifier of a settled `config` can let some examples count more than others."""
        return True

    def packages(self, config: Any) -> dict[str, str]:
        """The versions of what a classifier needs besides what is always there: its predictions depend on them."""
        return {}

    def tuned(
        self,
        config: Any,
        data: DataSet,
        kept: int,
        rare: Sequence[int],
        seed: int,
        device: torch.device,
        progress: Callable[[int, int], None] = silent,
        strategy: str = CE,
        weight: float = 1.0,
    ) -> Any:
        """A settled `config` with what trials choose for an arm; as it is where there are none to be done.

        They are validated on the first `kept` examples of `data`; the others, which were added, may be trained on,
        where each counts `weight`.
        """
        return config

    @abstractmethod
    def train(
        self,
        config: Any,
        data: DataSet,
        test: DataSet,
        seed: int,
        device: torch.device,
        progress: Callable[[int, int], None] = silent,
        strategy: str = CE,
        kept: int | None = None,
        weight: float = 1.0,
    ) -> Trained:
        """Trains on `data` by a settled `config` and predicts `test`, of which nothing is chosen. Never asked for a
        strategy with `shift`. The first `kept` examples are real, the others were added and count `weight` in the loss;
        None: all are real.

        The same seed gives the same initial state whatever `data` holds. Raises FillbenchError when training fails.
        """

    @abstractmethod
    def open(self, folder: Path, device: torch.device) -> Model:
        """The model that `Model.save` wrote."""

    @abstractmethod
    def judge(self, config: Any) -> tuple[Any, str]:
        """`config` for the audits' independent classifier, trained longer and from scratch, and the strategy by which
        rare classes weigh as much as others."""


_REGISTRY: Registry[Trainer] = Registry(
    "trainer",
    Trainer,  # type: ignore[type-abstract]
    __package__,
    attribute="kind",
)
register = _REGISTRY.register
trainer_of = _REGISTRY.get
trainers = _REGISTRY.names
