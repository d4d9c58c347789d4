"""The stages of a cell, each kept in the store under a key of all that it depends on."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..classifiers.base import CE, trainer_of, weighted_counts
from ..datasets import DataSet, Split
from ..datasets.base import Array, Labels
from ..datasets.imbalance import Manifest
from ..generators import Generator
from ..generators.encoders import encoder_of, encoders
from ..generators.state import NotStorable, open_state, save_state
from ..reports.adjustment import adjusted
from .audits import audit, auditor_of
from .audits.judge import make_judge, read_judge
from .cache import Store, key_of
from .codeversion import code_of, versions
from .cost import measured
from .filtering import fill_filtered
from .plan import Arm

FITS, CLASSIFIERS = "fits", "classifiers"  # stages of the store that are kept as models
Report = Callable[[str, int, int], None]  # phase, done, total


@dataclass(frozen=True)
class Cell:
    """All that a worker needs, small enough to be sent: examples are read from the store."""

    run_dir: Path
    """Where its record goes."""
    arm: Arm
    manifest: Manifest
    deficits: dict[int, int]
    minority: tuple[int, ...]
    classifier: Any
    """The settled Config of the trainer."""
    judge: Any
    """That of the judge, which stays the same when arms are trained again with other settings."""
    classifier_seeds: tuple[int, ...]
    seeds: int
    """How many the run has: so often is an arm looked at, and might chance raise a flag."""
    tstr: bool
    synthetic_weight: float
    """How much a synthetic example counts in the loss of an arm that is on trial."""
    keep_models: bool
    device: str
    threads: int
    strict: bool
    """Whether the arm was asked for by name, so that what it cannot do is a failure, not a skip."""
    code: str
    """The version of the generator's code."""
    point: str = ""
    """Which point of a sweep it is of, in words."""

    @property
    def name(self) -> str:
        """The stem of the cell's files."""
        return f"{self.arm.name}-seed{self.manifest.seed}"

    @property
    def label(self) -> str:
        """What people read."""
        return f"{self.arm.name} seed {self.manifest.seed}" + (f", {self.point}" if self.point else "")


class Phases:
    """Remembers which phase a cell is in, and tells whoever watches."""

    def __init__(self, report: Report) -> None:
        self.now = "start"
        self._report = report

    def __call__(self, phase: str) -> Callable[[int, int], None]:
        self.now = phase
        self._report(phase, 0, 1)
        return lambda done, total: self._report(phase, done, total)


@dataclass(frozen=True)
class Filling:
    """The synthetic examples, the keys of the fit and of the fill, and what is told of how they were made."""

    fit_key: str
    key: str
    added: DataSet
    log: list[dict[str, float]]
    facts: dict[str, Any]
    cost: dict[str, float]


@dataclass(frozen=True)
class TrainingRun:
    """Test probabilities (N, K) of a classifier, the thresholds (K,) that it decides by, if it has any, its training
    curve, what the record should tell, its cost; its key and the folder where it lies."""

    seed: int
    key: str
    entry: Path
    probabilities: np.ndarray
    thresholds: np.ndarray | None
    curve: list[dict[str, float]]
    facts: dict[str, Any]
    cost: dict[str, float]


class Stages:
    """What is done for one cell of `split`; `kept` are the training examples of the seed."""

    def __init__(self, cell: Cell, kept: DataSet, split: Split, store: Store, phases: Phases) -> None:
        self.cell, self.kept, self.split, self.store, self.phases = cell, kept, split, store, phases
        self.trainer, self.auditor = (
            trainer_of(split.train.traits.kind)(),
            auditor_of(split.train.traits.kind).of(split.train),
        )
        self.device = torch.device(cell.device)
        self.common = {"manifest": cell.manifest.sha256, "seed": cell.manifest.seed, **_machine(cell)}

    @cached_property
    def fit_key(self) -> str:
        """Of the fitted generator; it does not depend on how many examples will be asked for."""
        arm = self.cell.arm
        assert arm.generator is not None
        return key_of(
            stage="fit",
            generator=arm.source,
            settings=arm.settings,
            inputs=arm.generator(arm.config).inputs(),
            labels=sorted(self.cell.deficits),
            code=[self.cell.code, code_of(*_meaning(self.kept), *_encoders(self.kept))],
            **self.common,
        )

    def fill(self) -> Filling:
        """The synthetic examples: fitted, reopened and sampled where they are not in the store."""
        wanted = {str(label): count for label, count in self.cell.deficits.items()}
        choice: dict[str, Any] = {}
        if by := self.cell.arm.filter:
            choice["filter"] = [by, self._filter_key(), code_of(fill_filtered.__module__, type(self.auditor))]
        key = key_of(stage="fill", fit=self.fit_key, deficits=wanted, **choice)
        self.phases("wait")
        entry = self.store.get("fills", key, self._sample)
        meta = json.loads((entry / "meta.json").read_text())
        return Filling(self.fit_key, key, DataSet.open(entry / "added"), **meta)

    def _generator(self, work: Path) -> Generator:
        cell = self.cell
        assert cell.arm.generator is not None
        return cell.arm.generator(cell.arm.config, seed=cell.manifest.seed, device=cell.device, workdir=work)

    def _fit(self, generator: Generator) -> dict[str, Any]:
        """Fits, and says what is told of it."""
        generator.progress = self.phases("fit")
        with measured(self.cell.device) as spent:
            generator.fit(self.kept.take(np.arange(len(self.kept))), self.cell.deficits)
        return {"log": generator.history, "facts": generator.facts, "cost": spent}

    def fitted(self) -> Path:
        """The folder of the fitted generator, which is fitted if need be. Raises NotStorable where it has no state."""

        def make(new: Path, work: Path) -> None:
            generator = self._generator(work)
            about = self._fit(generator)
            save_state(new, generator.state())
            (new / "meta.json").write_text(json.dumps(about, allow_nan=False))

        return self.store.get(FITS, self.fit_key, make)

    def _opened(self, work: Path) -> tuple[Generator, dict[str, Any]]:
        """The generator, reopened from the store or, where it cannot be stored, fitted; and what is told of its fit."""
        generator = self._generator(work)
        try:
            entry = self.fitted()
        except NotStorable:
            return generator, self._fit(generator)
        about = json.loads((entry / "meta.json").read_text())
        return reopened(generator, self.kept, entry, about), about

    def _sample(self, new: Path, work: Path) -> None:
        """Writes the synthetic examples into `new`."""
        chosen_by = self._filter() if self.cell.arm.filter else None  # which all arms share, so it is no arm's cost
        generator, fit = self._opened(work)
        generator.progress = self.phases("sample")
        with measured(self.cell.device) as sample:
            x, labels = self._filled(generator, chosen_by)
        cost = {
            "fit_seconds": fit["cost"]["seconds"],
            "sample_seconds": sample["seconds"],
            "peak_memory_mb": max(fit["cost"]["peak_memory_mb"], sample["peak_memory_mb"]),
        }
        replace(self.kept, x=x, labels=labels).save(new / "added")
        generator.save(new)
        meta = {"log": fit["log"], "facts": generator.facts, "cost": cost}
        (new / "meta.json").write_text(json.dumps(meta, allow_nan=False))

    def _filled(self, generator: Generator, chosen_by: Path | None) -> tuple[Array, Labels]:
        """What the generator makes or, of more, what the arm's filter chooses by the classifier in a folder."""
        by = self.cell.arm.filter
        if not by or chosen_by is None:
            return generator.fill(self.cell.deficits)
        model = self.trainer.open(chosen_by, self.device)
        auditor = auditor_of(self.kept.traits.kind).of(self.kept)
        x, labels, told = fill_filtered(generator, self.cell.deficits, self.kept, model, auditor, by)
        spent = json.loads((chosen_by / "cost.json").read_text())
        generator.facts |= told | {"filter.train_seconds": spent["seconds"]}
        return x, labels

    def _filter(self) -> Path:
        """The folder of the classifier that all filters of a seed choose by: trained on the kept examples, with rare
        classes weighing as much as others."""

        def make(new: Path, work: Path) -> None:
            progress, strategy = self.phases("filter"), self.trainer.judge(self.cell.classifier)[1]
            config, kept, seed = self.cell.classifier, self.kept, self.cell.classifier_seeds[0]
            with measured(self.cell.device) as spent:
                trained = self.trainer.train(config, kept, kept, seed, self.device, progress, strategy)
            trained.model.save(new)
            (new / "cost.json").write_text(json.dumps(spent))

        return self.store.get("filters", self._filter_key(), make)

    def _filter_key(self) -> str:
        strategy = self.trainer.judge(self.cell.classifier)[1]
        return key_of(
            stage="filter",
            classifier=asdict(self.cell.classifier),
            classifier_seed=self.cell.classifier_seeds[0],
            packages=self.trainer.packages(self.cell.classifier),
            code=code_of(type(self.trainer), self.trainer.strategies.get(strategy), *_meaning(self.kept)),
            **self.common,
        )

    def audit(self, filling: Filling) -> dict[str, Any]:
        """What the audit says of the synthetic examples."""
        added = filling.added

        def look(new: Path, work: Path) -> None:
            self.phases("judge")
            entry = judge_of(self.cell, self.split, self.store)
            self.phases("audit")
            judge = read_judge(entry, added.traits.kind, added.shape, self.device)
            found = audit(added, self.split, self.cell.manifest.kept, self.auditor, judge)
            (new / "audit.json").write_text(json.dumps(found, allow_nan=False))

        key = key_of(
            stage="audit",
            fill=filling.key,
            judge=_judge_key(self.cell, self.split),
            lacking=bool(self.auditor.lacking),
            code=code_of(audit.__module__, type(self.auditor)),
        )
        self.phases("wait")
        entry = self.store.get("audits", key, look)
        return json.loads((entry / "audit.json").read_text())

    def train(self, data: DataSet, of: str, seed: int, kept: int, weight: float = 1.0) -> TrainingRun:
        """A classifier trained with `seed` on `data`, which is known by the key `of` what was filled; its first `kept`
        examples are kept ones, the others count `weight`.

        With `keep_models` it is stored with its weights. A strategy that only shifts predictions shares the training by
        plain cross-entropy: key, entry, curve and cost are those of that one.
        """
        cell, way = self.cell, self.trainer.strategies.get(self.cell.arm.strategy)
        strategy = CE if way.shift else way.name
        key = key_of(
            stage="train",
            fill=of,
            strategy=strategy,
            classifier=asdict(cell.classifier),
            classifier_seed=seed,
            rare=cell.minority,
            weight=weight,
            packages=self.trainer.packages(cell.classifier),
            code=code_of(type(self.trainer), self.trainer.strategies.get(strategy), *_meaning(data)),
            **self.common,
        )

        def fit(new: Path, work: Path) -> None:
            progress = self.phases("train")
            with measured(cell.device) as spent:
                config = self.trainer.tuned(
                    cell.classifier, data, kept, cell.minority, seed, self.device, progress, strategy, weight
                )
                trained = self.trainer.train(
                    config, data, self.split.test, seed, self.device, progress, strategy, kept, weight
                )
            np.save(new / "probabilities.npy", trained.probabilities, allow_pickle=False)
            if cell.keep_models:
                trained.model.save(new)
            cost = {"train_seconds": spent["seconds"], "peak_memory_mb": spent["peak_memory_mb"]}
            thresholds = trained.model.thresholds
            meta = {
                "thresholds": None if thresholds is None else thresholds.tolist(),
                "curve": trained.curve,
                "facts": trained.facts,
                "cost": cost,
            }
            (new / "meta.json").write_text(json.dumps(meta))

        self.phases("wait")
        entry = self.store.get(CLASSIFIERS if cell.keep_models else "predictions", key, fit)
        meta = json.loads((entry / "meta.json").read_text())
        probabilities = np.load(entry / "probabilities.npy", allow_pickle=False)
        if way.shift:
            probabilities = adjusted(probabilities, weighted_counts(data, kept, weight))
        by = meta.pop("thresholds")
        return TrainingRun(seed, key, entry, probabilities, np.array(by) if by else None, **meta)


def reopened(generator: Generator, kept: DataSet, entry: Path, about: dict[str, Any]) -> Generator:
    """`generator`, new, in the fitted state that lies in the folder `entry`; `about` is told of the fit."""
    generator.restore(kept, open_state(entry, generator.device))
    generator.history, generator.facts = about["log"], about["facts"]
    return generator


def judge_of(cell: Cell, split: Split, store: Store) -> Path:
    """The folder of the judge that all arms and seeds of a run share, which is trained if need be."""
    labels, device = _filled(cell), torch.device(cell.device)
    return store.get(
        "judges",
        _judge_key(cell, split),
        lambda new, work: make_judge(cell.judge, split, labels, device, new),
    )


def _judge_key(cell: Cell, split: Split) -> str:
    kind = split.train.traits.kind
    trainer, auditor = trainer_of(kind), auditor_of(kind)
    return key_of(
        stage="judge",
        data=cell.manifest.dataset,
        classifier=asdict(cell.judge),
        packages=trainer().packages(cell.judge),
        labels=_filled(cell),
        eye=auditor.eye(split.train.shape) is not None,
        code=code_of(make_judge.__module__, trainer, auditor, *_meaning(split.train)),
        **_machine(cell),
    )


def _filled(cell: Cell) -> list[int]:
    return sorted(label for label, count in cell.deficits.items() if count)


def _meaning(data: DataSet) -> tuple[type, ...]:
    """The classes that tell what the data means, to which all that reads it dispatches."""
    return (type(data.traits),)


def _encoders(data: DataSet) -> list[type]:
    """What turns such data into floats for generators that learn from floats, if anything does."""
    kind = data.traits.kind
    return [encoder_of(kind)] if kind in encoders() else []


def _machine(cell: Cell) -> dict[str, Any]:
    """What of the machine changes the last bits of a result."""
    return {"device": torch.device(cell.device).type, "threads": cell.threads, "versions": versions()}
