"""Alexia Jolicoeur-Martineau et al., Generating and Imputing Tabular Data via Diffusion and Flow-based Gradient-Boosted
Trees, AISTATS 2024, https://arxiv.org/abs/2309.09968: flow matching (Lipman et al. 2023) by trees.

As there, each class has models of its own, one for each time, learned from its rows repeated with fresh noise: in one
model for all classes, trees would hardly split by a class of few rows. Otherwise than there, a tree serves all columns
(boosting.py), numbers are scaled by mean and spread, and Heun's method follows the flow, with a fifth of the times. A
HistGradientBoostingRegressor for each time and column takes minutes where this takes seconds, and cannot be stored.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Annotated

import numpy as np
import torch
from pydantic import Field

from ..datasets.base import DataSet
from ..datasets.tables import Rows
from .base import Generator, register
from .boosting import BoostedTrees, Floats
from .encoders import fitted
from .oversample import require
from .state import State

ENOUGH = 2_000  # rows with noise, of a class, where `duplicates` allows so many
MOST = 20_000  # rows of a class that are learned from


@dataclass(frozen=True)
class Flow:
    """Of one class: mean and spread (D,) of its encoded columns, and the velocity of those that vary at each time."""

    mean: Floats
    spread: Floats
    velocities: list[BoostedTrees]


@register("forest-flow")
class ForestFlow(Generator):
    """Flow from noise to rows by gradient boosted trees, one for each rare class (Jolicoeur-Martineau 2024)"""

    kinds = ("tables",)

    @dataclass(frozen=True)
    class Config:
        """`levels`: steps from noise to a row. `duplicates`: how often a row is repeated at most, each with its noise.

        `trees`: for each time; they have that `depth` at most, and each is added with the weight `lr`.
        """

        levels: Annotated[int, Field(gt=0)] = 10
        duplicates: Annotated[int, Field(gt=0)] = 100
        trees: Annotated[int, Field(gt=0)] = 20
        depth: Annotated[int, Field(gt=0)] = 7
        lr: Annotated[float, Field(gt=0, le=1)] = 0.3

    def _fit(self, train: DataSet, labels: tuple[int, ...]) -> None:
        require(2, train, labels, f"{self.name} takes the spread of")
        encoded = self._open(train)
        self.flows, used = {}, {}
        for spot, label in enumerate(labels):
            own = encoded[train.labels == label]
            if len(own) > MOST:
                own = self.rng.choice(own, MOST, replace=False)
            repeats = min(self.config.duplicates, max(1, ENOUGH // len(own)))
            used[train.class_names[label]] = {"rows": len(own), "duplicates": repeats}
            self.flows[label] = self._flow(own, repeats)
            self.progress(spot + 1, len(labels))
        self.facts["learned_from"] = used

    def _open(self, train: DataSet) -> Floats:
        """Takes from the data what does not depend on a fit; the encoded rows (N, D)."""
        self.encoder = fitted(train)
        encoded: Floats = self.encoder.encode(train.x, torch.device("cpu")).numpy()
        self.lowest, self.highest = encoded.min(0), encoded.max(0)
        return encoded

    def _flow(self, own: Floats, repeats: int) -> Flow:
        """Learned from the encoded rows (N, D) of a class."""
        varies = np.ptp(own, axis=0) > 0
        mean, spread = own.mean(0), np.where(varies, own.std(0), 0)
        rows = np.repeat((own - mean)[:, varies] / spread[varies], repeats, axis=0)
        noise = self.rng.normal(size=rows.shape).astype(np.float32)
        config = self.config
        velocities = [
            BoostedTrees.fit(
                time * rows + (1 - time) * noise, rows - noise, config.trees, config.depth, config.lr, self.rng
            )
            for time in np.linspace(0, 1, config.levels + 1, dtype=np.float32)
            if varies.any()
        ]
        return Flow(mean, spread, velocities)

    def _state(self) -> State:
        return {"flows": {label: asdict(flow) for label, flow in self.flows.items()}}

    def _restore(self, train: DataSet, state: State) -> None:
        self._open(train)
        self.flows = {
            label: Flow(flow["mean"], flow["spread"], [BoostedTrees(**trees) for trees in flow["velocities"]])
            for label, flow in state["flows"].items()
        }

    def _sample(self, label: int, count: int) -> Rows:
        flow, step = self.flows[label], np.float32(1 / self.config.levels)
        varies = flow.spread > 0
        rows = self.rng.normal(size=(count, varies.sum())).astype(np.float32)
        for now, then in pairwise(flow.velocities):
            velocity = now.predict(rows)
            rows += step / 2 * (velocity + then.predict(rows + step * velocity))
        made = np.tile(flow.mean, (count, 1))
        made[:, varies] += rows * flow.spread[varies]
        made = made.clip(self.lowest, self.highest)  # to the range of the kept rows, as in the paper
        return self.encoder.decode(torch.from_numpy(made))
