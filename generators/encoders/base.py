"""What a kind of data needs so that networks can learn from it: one way to floats, and the same way back."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from ...datasets.base import Array, DataSet
from ...registry import Registry


class Encoder(ABC):
    """Examples of one kind as floats and back; registered by `@register(KIND)`.

    Whatever it has to know of the data (ranges, categories) it learns in `fit`, from the kept examples only.
    """

    kind: ClassVar[str]
    categories: tuple[int, ...] = ()
    """How many categories there are in each column of `rows`, 0 where it holds numbers; none where all hold numbers."""

    @classmethod
    @abstractmethod
    def fit(cls, train: DataSet) -> Self:
        """The encoder for data such as `train`."""

    @abstractmethod
    def encode(self, x: Array, device: torch.device) -> torch.Tensor:
        """Examples (N, …) as float32 on `device`, (N, …), about [-1, 1]."""

    @abstractmethod
    def decode(self, tensor: torch.Tensor) -> Array:
        """The inverse of `encode`; values that no example has become those nearest to them."""

    def last_layer(self) -> nn.Module:
        """What a network that makes encoded examples ends in: their range."""
        return nn.Tanh()

    def augmented(self, encoded: torch.Tensor) -> torch.Tensor:
        """Encoded examples, changed at random, differentiably, in ways that new ones may differ."""
        return encoded

    def rows(self, x: Array) -> NDArray[np.float32]:
        """Examples (N, …) as (N, M): numbers that one can go between, and codes of `categories`."""
        return x.reshape(len(x), -1).astype(np.float32)

    def examples(self, rows: NDArray[np.float32], like: DataSet) -> Array:
        """The inverse of `rows`, for data such as `like`; values that no example has become those nearest to them."""
        return like.traits.nearest(rows.reshape(len(rows), *like.shape))


class Unencoded(Encoder):
    """A kind of data that no network learns from."""

    @classmethod
    def fit(cls, train: DataSet) -> Unencoded:
        """There is nothing to learn."""
        return cls()

    def encode(self, x: Array, device: torch.device) -> torch.Tensor:
        """Not to be had."""
        raise NotImplementedError

    def decode(self, tensor: torch.Tensor) -> Array:
        """Not to be had."""
        raise NotImplementedError


_KINDS: Registry[Encoder] = Registry(
    "encoder",
    Encoder,  # type: ignore[type-abstract]
    __package__,
    attribute="kind",
)
register = _KINDS.register
encoder_of = _KINDS.get
encoders = _KINDS.names


def fitted(train: DataSet) -> Encoder:
    """The encoder of a data set's kind, fitted to it."""
    kind = train.traits.kind
    return (encoder_of(kind) if kind in encoders() else Unencoded).fit(train)
