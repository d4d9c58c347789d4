"""What a kind of data needs so that networks can learn from it: one way to floats, and the same way back."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, Self

import torch

from ...datasets.base import Array, DataSet
from ...registry import Registry


class Encoder(ABC):
    """Examples of one kind as floats and back; registered by `@register(KIND)`.

    Whatever it has to know of the data (ranges, categories) it learns in `fit`, from the kept examples only.
    """

    kind: ClassVar[str]

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


_KINDS: Registry[Encoder] = Registry(
    "encoder",
    Encoder,  # type: ignore[type-abstract]
    __package__,
    attribute="kind",
)
register = _KINDS.register
encoder_of = _KINDS.get
encoders = _KINDS.names
