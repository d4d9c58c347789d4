"""The contract every generator keeps, and the table of them all."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray

from ..compute import pick_device, seeded
from ..datasets.base import Array, DataSet
from ..errors import CannotFill, FillbenchError
from ..registry import Registry
from ..settings import build
from .resampler import OF_FIT_RESAMPLE, Resampler, seed_of
from .state import KEPT, NotStorable, State, check_storable

LOG_LINES = 60  # of a training
ANY = ("any",)  # kind of data


class Diverged(FillbenchError):
    """A loss that is no finite number."""


def _silent(done: int, total: int) -> None:
    """Progress that nobody watches."""


class Generator(Resampler):
    """Learns from the kept examples and makes more of a class.

    A subclass writes `_fit` and `_sample`, and may write `Config` (a frozen dataclass of its settings) and
    `available`. There it has `self.config`, `self.device` (torch.device), `self.rng` (NumPy, seeded),
    `self.progress(done, total)`, `self.log(step=…, loss=…)` for the report's loss figure, and
    `self.workdir`, a folder for checkpoints that outlives a kill (None outside a run), and `self.facts`, a
    JSON-able dictionary for what the record should tell besides (what was chosen, what was counted).
    PyTorch's, NumPy's and Python's global random states are seeded around both calls too.
    """

    name: ClassVar[str] = ""
    kinds: ClassVar[tuple[str, ...]] = ("images",)
    """The kinds of data that it can learn from; `ANY` is every one."""
    external_data: ClassVar[bool] = False
    """Whether it brings knowledge from outside the kept examples (pretrained weights, other data)."""
    control: ClassVar[bool] = False
    """Whether it is no generator, but what a generator has to beat."""
    keeps_examples: ClassVar[bool] = False
    """Whether it makes new examples from the kept ones themselves, so that it is of no use without them."""

    @dataclass(frozen=True)
    class Config:
        """No settings."""

    def __init__(
        self,
        config: Any = None,
        *,
        seed: int = 0,
        device: torch.device | str = "cpu",
        progress: Callable[[int, int], None] = _silent,
        workdir: Path | None = None,
        sampling_strategy: Any = "auto",
    ) -> None:
        of_a_subclass = set(vars(self))
        self.config: Any = self.Config() if config is None else config
        self.seed = seed
        self.device = torch.device(device)
        self.progress = progress
        self.workdir = workdir
        self.sampling_strategy = sampling_strategy
        self.history: list[dict[str, float]] = []
        self.facts: dict[str, Any] = {}
        self.rng = np.random.default_rng(seed)
        self._train: DataSet | None = None
        self._own = {*vars(self), "_own", *OF_FIT_RESAMPLE} - of_a_subclass  # attributes that no fit sets

    @abstractmethod
    def _fit(self, train: DataSet, labels: tuple[int, ...]) -> None:
        """Learn from `train`; examples of `labels`, which ascend, will be asked for."""

    @abstractmethod
    def _sample(self, label: int, count: int) -> Array:
        """`count` new examples of class `label`, as those of the training set: (count, H, W, C) uint8 for images."""

    def _state(self) -> State:
        """What `_fit` learned: by default, every attribute that is not this class's own.

        Arrays, tensors, numbers, texts, lists and dictionaries of these, and the training set, which is not stored.
        Raises NotStorable for anything else, such as a network: such a class writes `_state` and `_restore` itself.
        """
        state: State = {}
        for name, value in vars(self).items():
            if name in self._own:
                continue
            state[name] = KEPT if value is self._train else value
            try:
                check_storable(state[name], f"self.{name}")
            except NotStorable as error:
                raise NotStorable(f"{self.name}: {error}; write _state and _restore, which say what to store") from None
        return state

    def _restore(self, train: DataSet, state: State) -> None:
        """Sets what `_state` gave, on a new instance with the same settings; `train` is what `_fit` was given."""
        for name, value in state.items():
            setattr(self, name, train if value is KEPT else value)

    @classmethod
    def takes(cls, kind: str) -> bool:
        """Whether it can learn from data of this kind."""
        return cls.kinds == ANY or kind in cls.kinds

    @classmethod
    def summary(cls) -> str:
        """The first line of the docstring, which lists show."""
        return next(iter((cls.__doc__ or "").strip().splitlines()), cls.name)

    @classmethod
    def settle(cls, config: Any, train: DataSet) -> Any:
        """`config` with everything decided that it leaves to the data, before anything is run."""
        return config

    def available(self) -> str | None:
        """Why this generator cannot run here, with what would mend it; None when it can."""
        return None

    def inputs(self) -> str:
        """A hash of whatever it reads besides the kept examples (files, weights), so that a cache can tell."""
        return ""

    def save(self, folder: Path) -> None:
        """Writes into `folder`, once all is sampled, what should stay beside the examples: prompts, weights."""

    def log(self, **values: float) -> None:
        """Keeps one line of the training log: `step`, any losses, and `label` when a model serves one class.

        What is no finite number is left out: a figure cannot show it.
        """
        self.history.append({key: float(value) for key, value in values.items() if math.isfinite(value)})

    def log_losses(
        self, step: int, steps: int, lr: float, losses: Mapping[str, torch.Tensor], label: int | None = None
    ) -> None:
        """Logs the losses of about every 60th part of a training; `label` when the model serves one class.

        Raises Diverged when one is no finite number: in float32, the learning rate `lr` was too high.
        """
        if step % max(1, steps // LOG_LINES) and step != steps:
            return
        values = {name: loss.item() for name, loss in losses.items()}
        if not all(map(math.isfinite, values.values())):
            raise Diverged(
                f"{self.name}: training diverged, at step {step} it had {values}; "
                f"try a lower learning rate (--set {self.name}.lr={lr / 4:g})"
            )
        self.log(step=step, **values, **({} if label is None else {"label": label}))

    def fit(self, train: DataSet, labels: Iterable[int]) -> Self:
        """Learns from `train`, so that examples of `labels` can be asked for.

        Raises CannotFill when it cannot run here or cannot learn from this data.
        """
        self._begin(train)
        with seeded(self.seed):
            self._fit(train, tuple(sorted({int(label) for label in labels})))
        return self

    def state(self) -> State:
        """All that it learned, for `save_state` and, on a new instance, `restore`. Raises NotStorable."""
        if self._train is None:
            raise FillbenchError(f"{self.name}: call fit before state")
        return self._state()

    def restore(self, train: DataSet, state: State) -> Self:
        """Takes up what one of the same settings, seed and device had learned from `train`, in place of a fit.

        `history` and `facts` are left to the caller. Raises CannotFill when it cannot run here.
        """
        history, facts = self.history, self.facts
        self._begin(train)
        with seeded(self.seed):
            self._restore(train, state)
        self.history, self.facts = history, facts
        return self

    def _begin(self, train: DataSet) -> None:
        if not self.takes(train.traits.kind):
            raise CannotFill(f"{self.name} takes {' or '.join(self.kinds)}, not {train.traits.plural}")
        if reason := self.available():
            raise CannotFill(f"{self.name}: {reason}")
        self._train = train
        self.history, self.facts = [], {}
        self.rng = np.random.default_rng(self.seed)

    def sample(self, label: int, count: int) -> Array:
        """`count` examples of class `label`, as those of the training set; the same for the same seed, in any order.

        Raises FillbenchError when the generator breaks its contract (count, shape, dtype, all examples alike).
        """
        if self._train is None:
            raise FillbenchError(f"{self.name}: call fit before sample")
        if not 0 <= label < len(self._train.class_names):
            raise FillbenchError(f"{self.name}: there is no class {label}")
        sequence = np.random.SeedSequence([self.seed, label])
        self.rng = np.random.default_rng(sequence)
        with seeded(int(sequence.generate_state(1)[0])):
            made = self._sample(int(label), int(count))
        self._check(made, int(label), int(count))
        return made

    def _check(self, made: Any, label: int, count: int) -> None:
        """Raises FillbenchError for what is not `count` different examples of the training set's kind and shape."""
        assert self._train is not None
        noun, plural = self._train.traits.noun, self._train.traits.plural
        if made is None:
            raise FillbenchError(f"{self.name}: _sample returned nothing; it must return the {plural}")
        if complaint := self._train.traits.complaint(made, self._train.x):
            raise FillbenchError(f"{self.name}: _sample returned {complaint}")
        if len(made) != count:
            raise FillbenchError(f"{self.name}: asked for {count} {plural}, _sample returned {len(made)}")
        lone = self.keeps_examples and (self._train.labels == label).sum() == 1  # it can give no other one
        if count > 1 and not lone and not self._train.traits.may_repeat and (made == made[0]).all():
            raise FillbenchError(f"{self.name}: complete mode collapse: all {count} are the same {noun}")

    def fill(self, deficits: Mapping[int, int]) -> tuple[Array, NDArray[np.int64]]:
        """All the examples that `deficits` asks for, {label: count}, by ascending label, with their labels."""
        if self._train is None:
            raise FillbenchError(f"{self.name}: call fit before fill")
        wanted = {label: count for label, count in sorted(deficits.items()) if count}
        made = np.concatenate([self._train.x[:0], *(self.sample(label, count) for label, count in wanted.items())])
        return made, np.repeat(np.array([*wanted], np.int64), [*wanted.values()])


_REGISTRY: Registry[Generator] = Registry(
    "generator",
    Generator,  # type: ignore[type-abstract]
    __package__,
    group="fillbench.generators",
    reserved=("all", "none", "full", "classifier"),
)
register = _REGISTRY.register
names = _REGISTRY.names
load = _REGISTRY.get


def builtin() -> list[str]:
    """The names of those that come along, whatever plug-ins add."""
    return list(_REGISTRY.builtin)


def create(
    name: str,
    *,
    random_state: int | None = None,
    device: str = "auto",
    sampling_strategy: Any = "auto",
    **settings: Any,
) -> Generator:
    """The generator `name` with `settings`, ready for `fit_resample`.

    `random_state` None draws a new seed. Raises FillbenchError for an unknown name, setting, value or device.
    """
    cls = load(name)
    config = build(cls.Config, settings, f"generator '{name}'")
    return cls(config, seed=seed_of(random_state), device=pick_device(device), sampling_strategy=sampling_strategy)
