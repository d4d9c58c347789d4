"""A multilayer perceptron of rows, in scikit-learn's manner."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from torch import nn
from torch.nn import functional as F
from torch.optim import AdamW
from torch.optim.lr_scheduler import OneCycleLR

from ..compute import seeded
from ..datasets.base import Labels

WIDTH, BATCH = 256, 256
CHUNK = 65_536  # rows that are predicted at a time

Numbers = NDArray[np.float32]


class MLP(ClassifierMixin, BaseEstimator):
    """Two hidden layers, AdamW (Loshchilov & Hutter 2019) under a one-cycle schedule that peaks at `learning_rate`.

    Batches are drawn with replacement, `steps` of them however many rows there are; nothing is stopped early.
    """

    def __init__(
        self,
        steps: int = 500,
        learning_rate: float = 0.001,
        weight_decay: float = 0.01,
        random_state: int = 0,
        device: str = "cpu",
    ) -> None:
        self.steps, self.learning_rate, self.weight_decay = steps, learning_rate, weight_decay
        self.random_state, self.device = random_state, device

    def fit(self, x: Numbers, labels: Labels, sample_weight: NDArray[Any] | None = None) -> Self:
        """Of rows (N, D) float32 and labels (N,) int64; an example counts by its weight (N,)."""
        self.classes_, codes = np.unique(labels, return_inverse=True)
        weights = np.ones(len(x)) if sample_weight is None else sample_weight / np.mean(sample_weight)
        rows, targets = torch.from_numpy(np.array(x)).to(self.device), torch.from_numpy(codes).to(self.device)
        each = torch.from_numpy(weights).float().to(self.device)
        with seeded(self.random_state):
            self.network_ = _network(x.shape[1], len(self.classes_)).to(self.device)
            batches = torch.randint(len(x), (self.steps, BATCH)).to(self.device)
        optimiser = AdamW(self.network_.parameters(), self.learning_rate, weight_decay=self.weight_decay)
        schedule = OneCycleLR(optimiser, self.learning_rate, total_steps=self.steps)
        for batch in batches:
            losses = F.cross_entropy(self.network_(rows[batch]), targets[batch], reduction="none")
            optimiser.zero_grad()
            (each[batch] * losses).mean().backward()
            optimiser.step()
            schedule.step()
        return self

    @torch.inference_mode()
    def predict_proba(self, x: Numbers) -> NDArray[np.float32]:
        """(N, K) of rows (N, D), in the order of `classes_`."""
        rows = torch.from_numpy(np.array(x)).to(self.device)
        return torch.cat([self.network_(chunk).softmax(1) for chunk in rows.split(CHUNK)]).cpu().numpy()

    def predict(self, x: Numbers) -> Labels:
        """The most probable class of each row, (N,)."""
        return self.classes_[self.predict_proba(x).argmax(1)]


def _network(columns: int, classes: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(columns, WIDTH), nn.ReLU(), nn.Linear(WIDTH, WIDTH), nn.ReLU(), nn.Linear(WIDTH, classes)
    )
