"""What a data set is here: labelled examples in one array, a train and a test part, and what the array means."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ..registry import Registry
from ..settings import build

Array = NDArray[Any]
Images = NDArray[np.uint8]
Labels = NDArray[np.int64]


class Traits(ABC):
    """What the array of a data set means: one frozen dataclass for each kind of data, under `@register(KIND)`.

    `noun`, `plural`: what people call its examples. `prompt`: how to name a class to a text-to-image model.
    """

    kind: ClassVar[str]
    noun: ClassVar[str]
    plural: ClassVar[str]

    @property
    def may_repeat(self) -> bool:
        """Whether honest examples may well be the same."""
        return False

    def described(self) -> dict[str, Any]:
        """What run.json tells of the data besides, JSON-able, for reports."""
        return {}

    @abstractmethod
    def complaint(self, x: object, like: Array) -> str | None:
        """Why `x` cannot be examples of the data that `like` is from: its shape, dtype, values; None if it can."""

    @abstractmethod
    def nearest(self, values: Array) -> Array:
        """The valid examples nearest to `values`, floats of the same shape: rounded, clipped, converted."""

    def doubts(self, x: Array, what: str) -> list[str]:
        """What is likely wrong with examples `x`, which are called `what`, one sentence each.

        Raises FillbenchError for examples that nothing can be learned from.
        """
        return []

    @classmethod
    @abstractmethod
    def toys(cls) -> dict[str, DataSet]:
        """Small data sets of three classes to try generators on, by what is special about them; the first is plain."""


_KINDS: Registry[Traits] = Registry(
    "kind",
    Traits,  # type: ignore[type-abstract]
    __package__,
    attribute="kind",
)
register = _KINDS.register
traits_of = _KINDS.get
kinds = _KINDS.names


@dataclass(frozen=True)
class DataSet:
    """Examples `x`, whose first axis counts them, with labels (N,) int64 that index `class_names`."""

    x: Array
    labels: Labels
    class_names: tuple[str, ...]
    traits: Any

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def images(self) -> Images:
        """`x` where the kind is images: (N, H, W, C) uint8."""
        if self.traits.kind != "images":
            raise AttributeError(f"this data set has {self.traits.plural}, not images; they are in `x`")
        return self.x

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one example."""
        return self.x.shape[1:]

    def counts(self) -> NDArray[np.int64]:
        """Examples per class, (K,) int64."""
        return np.bincount(self.labels, minlength=len(self.class_names)).astype(np.int64)

    def take(self, indices: NDArray[np.int64]) -> DataSet:
        """A copy of the examples at `indices`: nothing in it leads back to the others."""
        return replace(self, x=np.array(self.x[indices]), labels=np.array(self.labels[indices]))

    def without(self, indices: NDArray[np.int64]) -> DataSet:
        """A copy of the examples that are not at `indices`."""
        return self.take(np.setdiff1d(np.arange(len(self)), indices))

    def of_class(self, label: int) -> Array:
        """The examples of one class."""
        return np.ascontiguousarray(self.x[self.labels == label])

    def joined(self, other: DataSet) -> DataSet:
        """These examples, then the other's."""
        return replace(self, x=np.concatenate([self.x, other.x]), labels=np.concatenate([self.labels, other.labels]))

    def save(self, folder: Path) -> None:
        """Writes x.npy, labels.npy and data.json into `folder`, made if need be."""
        folder.mkdir(parents=True, exist_ok=True)
        np.save(folder / "x.npy", self.x, allow_pickle=False)
        np.save(folder / "labels.npy", self.labels, allow_pickle=False)
        about = {"kind": self.traits.kind, "class_names": self.class_names, "traits": asdict(self.traits)}
        (folder / "data.json").write_text(json.dumps(about))

    @classmethod
    def open(cls, folder: Path) -> DataSet:
        """What `save` wrote, memory-mapped: processes share the pages."""
        x, labels = (np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False) for name in ("x", "labels"))
        about = json.loads((folder / "data.json").read_text())
        traits = build(traits_of(about["kind"]), about["traits"], f"'{folder}'")
        return cls(x, labels, tuple(about["class_names"]), traits)


@dataclass(frozen=True)
class Split:
    """A data set by name, in its train and test parts.

    `reading`: JSON-able facts of how it was read; `reading["warnings"]` are sentences for people.
    """

    name: str
    train: DataSet
    test: DataSet
    reading: dict[str, Any] = field(default_factory=dict)

    def save(self, folder: Path) -> None:
        """Writes both parts below `folder`: the one way in which a data set is stored."""
        self.train.save(folder / "train")
        self.test.save(folder / "test")
        (folder / "split.json").write_text(json.dumps({"name": self.name, "reading": self.reading}))

    @classmethod
    def open(cls, folder: Path) -> Split:
        """What `save` wrote, memory-mapped."""
        about = json.loads((folder / "split.json").read_text())
        return cls(about["name"], DataSet.open(folder / "train"), DataSet.open(folder / "test"), about["reading"])
