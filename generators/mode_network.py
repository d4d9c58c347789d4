"""What makes rows by a network that sees numbers by the modes of their columns."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

from torch import nn

from ..datasets.base import DataSet
from ..datasets.coding import Coding
from .base import Generator
from .modes import ModeEncoder
from .state import State

SAMPLE_BATCH = 1024


class ModeNetworkGenerator(Generator):
    """Once fitted it has `_encoder` and a network, `_model`, in evaluation mode; a subclass writes `_network`."""

    kinds = ("tables",)
    _model: Any  # a network

    @abstractmethod
    def _network(self) -> nn.Module:
        """A new one on the device, for what `_know` took from the data."""

    def _know(self, train: DataSet, encoder: ModeEncoder) -> None:
        """Takes from the data what does not depend on a training."""
        self._encoder = encoder

    def _state(self) -> State:
        return {"weights": dict(self._model.state_dict()), "mixtures": self._encoder.mixtures}

    def _restore(self, train: DataSet, state: State) -> None:
        self._know(train, ModeEncoder(Coding.fit(train), state["mixtures"]))
        self._model = self._network().eval()
        self._model.load_state_dict(state["weights"])
