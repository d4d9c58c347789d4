"""Tables by scikit-learn's classifiers, or what has their manner."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..datasets.base import DataSet
from ..datasets.coding import Coding
from ..datasets.tables import Rows
from ..errors import FillbenchError, did_you_mean
from ..settings import build
from . import learners, tuning
from .base import CE, Model, Scores, Thresholds, Trained, Trainer, register, silent
from .folds import folds
from .learners import LEARNERS, Tuned
from .table_strategies import TABLE_STRATEGIES

FOLDS = 3  # that settings are chosen on
MANY = 255  # categories that scikit-learn's histograms tell apart
TINY = 1e-7


@dataclass(frozen=True)
class TableModel(Model):
    """A classifier fitted to `data`, of which the rows after the first `kept` count `weight`; `shift` (K,) is taken off
    its logits."""

    fitted: Any
    coding: Coding
    data: DataSet
    kept: int
    weight: float
    config: learners.Config
    strategy: str
    seed: int
    shift: Scores

    def probabilities(self, x: Rows) -> Scores:
        """(N, K) float32 of rows (N, F) float32."""
        found = np.full((len(x), len(self.data.class_names)), TINY)
        found[:, self.fitted.classes_] = self.fitted.predict_proba(_seen(self.config, self.coding, x))
        scores = found.clip(TINY) * np.exp(-self.shift.astype(np.float64))
        return (scores / scores.sum(1, keepdims=True)).astype(np.float32)

    @property
    def thresholds(self) -> Thresholds | None:
        """(K,), as its strategy found them."""
        return TABLE_STRATEGIES.get(self.strategy)().thresholds(self.fitted)

    def features(self, x: Rows) -> Scores:
        """(N, D) float32: scaled numbers and one-hot categories, since trees have no last layer."""
        return self.coding.one_hot(x)

    def shifted(self, shift: Scores) -> TableModel:
        """The same classifier with `shift` (K,) taken off its logits."""
        return replace(self, shift=shift)

    def save(self, folder: Path) -> None:
        """The rows that it was fitted to, and model.json: scikit-learn's models are stored as code, which is never
        loaded, so whoever opens it fits it again."""
        self.data.save(folder)
        about = {
            "config": asdict(self.config),
            "kept": self.kept,
            "weight": self.weight,
            "strategy": self.strategy,
            "seed": self.seed,
            "shift": self.shift.tolist(),
        }
        (folder / "model.json").write_text(json.dumps(about))


def _seen(config: learners.Config, coding: Coding, x: Rows) -> Rows:
    """What a classifier sees of rows."""
    return x if LEARNERS[config.model].raw else coding.one_hot(x)


def _chosen(config: learners.Config) -> dict[str, float]:
    """The settings that trials chose."""
    return dict(config.chosen) if isinstance(config, Tuned) else {}


@register("tables")
class TableTrainer(Trainer):
    """Gradient boosting by default; other classifiers of scikit-learn's, an MLP, and others where installed."""

    Config = learners.Config
    default = "gradient-boosting"
    strategies = TABLE_STRATEGIES

    @classmethod
    def models(cls) -> dict[str, str]:
        """scikit-learn's, ours, and three that have to be installed."""
        return {name: "" if one.package == "sklearn" else f"needs {one.package}" for name, one in LEARNERS.items()}

    def settle(self, config: learners.Config, train: DataSet, device: torch.device) -> learners.Config:
        """With a number of iterations. Raises FillbenchError for an unknown classifier, one that is not installed, or
        one that has no iterations where these are given."""
        if config.model not in LEARNERS:
            raise FillbenchError(f"unknown classifier '{config.model}'; {did_you_mean(config.model, LEARNERS)}")
        learner = LEARNERS[config.model]
        if config.iterations and not learner.iterations:
            raise FillbenchError(f"--set classifier.iterations has no meaning for {config.model}: leave it out")
        if importlib.util.find_spec(learner.package) is None:
            raise FillbenchError(f"--classifier {config.model} needs {learner.package}: pip install {learner.package}")
        if reason := learner.lacks():
            raise FillbenchError(f"--classifier {config.model} cannot run here: {reason}")
        if config.tune and not learner.space:
            raise FillbenchError(f"--tune has no meaning for {config.model}: it has no settings to choose")
        if config.tune and importlib.util.find_spec("optuna") is None:
            raise FillbenchError("--tune needs optuna: pip install -e '.[tables]'")
        return replace(config, iterations=config.iterations or learner.iterations)

    def weighs(self, config: learners.Config) -> bool:
        """Whether it takes weights of rows."""
        return LEARNERS[config.model].weighs

    def packages(self, config: learners.Config) -> dict[str, str]:
        """The classifier's own, and Optuna where it chooses."""
        needed = {LEARNERS[config.model].package, *(["optuna"] if config.tune else [])} - {"sklearn", "torch"}
        return {name: importlib.import_module(name).__version__ for name in sorted(needed)}

    def refuses(self, config: learners.Config, train: DataSet, strategy: str) -> str | None:
        """What a strategy cannot do with so many classes, or with a classifier that takes no weights."""
        way = self.strategies.get(strategy)()
        if way.weighs and not LEARNERS[config.model].weighs:
            return f"weighs rows, and {config.model} takes no weights"
        return way.refuses(len(train.class_names))

    def tuned(
        self,
        config: learners.Config,
        data: DataSet,
        kept: int,
        rare: Sequence[int],
        seed: int,
        device: torch.device,
        progress: Callable[[int, int], None] = silent,
        strategy: str = CE,
        weight: float = 1.0,
    ) -> learners.Config:
        """With the settings of the highest average precision of the rare classes on folds of the kept rows."""
        if not config.tune:
            return config
        counts = data.take(np.arange(kept)).counts()
        for label in rare:
            if counts[label] < 2:
                name = data.class_names[label]
                raise FillbenchError(f"--tune needs two kept rows or more of '{name}': keep more")
        spots = folds(data.x, data.labels, kept, rare, FOLDS, seed)
        parts = [(data.take(fitted), int((fitted < kept).sum()), data.take(validating)) for fitted, validating in spots]
        way = CE if self.strategies.get(strategy).decides else strategy

        def score(chosen: dict[str, float]) -> float:
            trial = Tuned(**asdict(config), chosen=chosen)
            found = []
            for fitted, real, held_back in parts:
                model = self._fit(trial, fitted, real, weight, seed, device, way)
                found.append(tuning.knowing(model.probabilities(held_back.x), held_back.labels, rare))
            return float(np.mean(found))

        space = LEARNERS[config.model].space
        return Tuned(**asdict(config), chosen=tuning.best(space, config.tune, seed, score, progress))

    def train(
        self,
        config: learners.Config,
        data: DataSet,
        test: DataSet,
        seed: int,
        device: torch.device,
        progress: Callable[[int, int], None] = silent,
        strategy: str = CE,
        kept: int | None = None,
        weight: float = 1.0,
    ) -> Trained:
        """Fits the classifier. Raises FillbenchError when that fails."""
        model = self._fit(config, data, len(data) if kept is None else kept, weight, seed, device, strategy)
        progress(1, 1)
        return Trained(model.probabilities(test.x), [], model, _chosen(config))

    def _fit(
        self,
        config: learners.Config,
        data: DataSet,
        kept: int,
        weight: float,
        seed: int,
        device: torch.device,
        strategy: str,
    ) -> TableModel:
        coding = Coding.fit(data)
        few = np.array(
            [column.categories is not None and len(column.categories) <= MANY for column in data.traits.columns]
        )

        def make() -> Any:
            return LEARNERS[config.model].make(config, seed, few, device).set_params(**_chosen(config))

        way = self.strategies.get(strategy)()
        weights = None if weight == 1 else np.repeat([1.0, weight], [kept, len(data) - kept])
        try:
            fitted = way.fit(make, _seen(config, coding, data.x), data.labels, seed, kept, weights)
        except ValueError as error:
            raise FillbenchError(f"{config.model} could not be fitted: {str(error).splitlines()[0]}") from error
        return TableModel(
            fitted, coding, data, kept, weight, config, strategy, seed, np.zeros(len(data.class_names), np.float32)
        )

    def open(self, folder: Path, device: torch.device) -> TableModel:
        """Fits what `save` wrote again: the same rows, settings and seed."""
        about = json.loads((folder / "model.json").read_text())
        config = build(Tuned, about["config"], f"'{folder}'")
        data, kept, weight = DataSet.open(folder), about["kept"], about["weight"]
        model = self._fit(config, data, kept, weight, about["seed"], device, about["strategy"])
        return replace(model, shift=np.array(about["shift"], np.float32))

    def judge(self, config: learners.Config) -> tuple[learners.Config, str]:
        """The same, with rare classes weighing as much as others, or being as many where it takes no weights."""
        return config, "class-balanced" if LEARNERS[config.model].weighs else "undersample"
