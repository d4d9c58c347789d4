"""What an audit has to know of a kind of data; all else it does is the same for every kind."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import torch

from ...datasets.base import Array, DataSet
from ...registry import Registry

Eye = Callable[[torch.Tensor], torch.Tensor]
Entry = dict[str, Any]  # what was found of one class, see `audit`


@dataclass(frozen=True)
class Limits:
    """A flag is raised above (or below) these, if chance alone would do so in less than a share `chance` of the arms.

    `copies`: the share near to kept examples, `leaks`: to unseen ones, of which `honest` is usual. `exact`: the
    share that is one of them to the last bit. `test_side`, `removed_side`: the share nearer to the test than to the
    removed examples. `collapsed`, `repeated`: of what real examples differ. `precision`: the share that lies where real
    ones do. `wrong`: the share not recognised, of what real examples reach; where `must_show` of it would not be shown,
    labels cannot be told.
    """

    copies: float = 0.25
    leaks: float = 0.15
    honest: float = 0.05
    exact: float = 0.01
    test_side: float = 0.85
    removed_side: float = 0.05
    collapsed: float = 0.35
    repeated: float = 0.3
    precision: float = 0.1
    wrong: float = 0.2
    must_show: float = 0.3
    chance: float = 0.01


@dataclass(frozen=True)
class Figure:
    """A column of the table of audits. `by_space`: two numbers, near in the examples themselves and in features.

    `real`: the figure that says the same of real examples. `column`, `real_column`: whether it, or that of real ones,
    is on the leaderboard too.
    """

    name: str
    label: str
    digits: int = 2
    by_space: bool = False
    real: str | None = None
    column: bool = True
    real_column: bool = False
    note: str = ""


@dataclass(frozen=True)
class Flag:
    """What cannot be believed as it stands: when it is raised, on which figures, and how a report explains it.

    `raised` is told under which p-value chance is ruled out. `tells`: whether it would be raised if there were reason.
    """

    name: str
    figures: tuple[str, ...]
    raised: Callable[[Entry, Limits, float], bool]
    explanation: str
    tells: Callable[[Entry, Limits, float], bool] = lambda entry, limits, level: True


class Auditor(ABC):
    """How the examples of one kind are compared and described; registered by `@register(KIND)`."""

    kind: ClassVar[str]
    space: ClassVar[str]
    """Where nearness is looked for besides in features: "pixels", say."""
    statistics: ClassVar[tuple[str, ...]]
    """The keys of what `describe` gives, in the order in which a table shows them."""
    off_range: ClassVar[str]
    """When `off` finds something, in words for the report."""
    alike: ClassVar[str] = ""
    """What `distances` takes for the same, in a sentence for the report."""
    loosely: ClassVar[str] = ""
    """What `loose_distances` does besides."""
    limits: ClassVar[Limits] = Limits()
    figures: tuple[Figure, ...] = ()
    """The columns of the table of audits that only this kind has, by `compare`."""
    lacking: str = ""
    """What would fill those of them that are empty here."""
    flags: ClassVar[tuple[Flag, ...]] = ()
    """What only this kind can be flagged for."""

    @classmethod
    def of(cls, train: DataSet) -> Self:
        """The auditor of a data set, by all of its real training examples."""
        return cls()

    @abstractmethod
    def prepare(self, x: Array, device: torch.device) -> torch.Tensor:
        """(N, …) float32 on the device: what `distances` compares, and of which the spread is measured."""

    @abstractmethod
    def distances(self, queries: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """(N, M) between prepared examples: small where one is the other, turned or moved as a copyist would."""

    def loose_distances(self, queries: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """(N, M) as `distances`, and small also where one is the other under changes that new examples may have too.

        By these leaks are found: what is like a test example is one, however it was made.
        """
        return self.distances(queries, targets)

    @abstractmethod
    def describe(self, x: Array) -> dict[str, float]:
        """Statistics of examples by name, by which real and synthetic ones are compared."""

    @abstractmethod
    def off(self, made: dict[str, float], real: dict[str, float]) -> list[str]:
        """What of `made` is far from `real` (both from `describe`), in words."""

    def compare(self, made: Array, real: Array, kept: Array, test: Array, device: torch.device) -> Entry:
        """What else is found of the synthetic examples of a class beside its kept ones and other real ones.

        `real` are all of the training part, the kept ones among them.
        """
        return {}

    @classmethod
    def eye(cls, shape: tuple[int, ...]) -> tuple[str, Callable[[torch.device], Eye]] | None:
        """The name of a pretrained model, and what loads it: a function of examples (N, …) on the device to features
        (N, D). None where there is none for examples of `shape`: then the classifier's own features are taken."""
        return None


_REGISTRY: Registry[Auditor] = Registry(
    "auditor",
    Auditor,  # type: ignore[type-abstract]
    __package__,
    attribute="kind",
)
register = _REGISTRY.register
auditor_of = _REGISTRY.get
