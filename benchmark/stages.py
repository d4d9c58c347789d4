"""The stages of a cell, each kept in the store under a key of all that it depends on."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..classifiers.base import trainer_of
from ..datasets import DataSet, Split
from ..datasets.imbalance import Manifest
from .audits import audit, auditor_of
from .audits.judge import make_judge, read_judge
from .cache import Store, key_of
from .codeversion import code_of, code_of_module, versions
from .cost import measured
from .plan import Arm

Report = Callable[[str, int, int], None]  # phase, done, total


@dataclass(frozen=True)
class Cell:
    """All that a worker needs, small enough to be sent: examples are read from the store."""

    arm: Arm
    manifest: Manifest
    deficits: dict[int, int]
    minority: tuple[int, ...]
    classifier: Any
    """The settled Config of the trainer."""
    classifier_seeds: tuple[int, ...]
    tstr: bool
    device: str
    threads: int
    strict: bool
    """Whether the arm was asked for by name, so that what it cannot do is a failure, not a skip."""
    code: str
    """The version of the generator's code."""

    @property
    def name(self) -> str:
        """The stem of the cell's files."""
        return f"{self.arm.name}-seed{self.manifest.seed}"

    @property
    def label(self) -> str:
        """What people read."""
        return f"{self.arm.name} seed {self.manifest.seed}"


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
class TrainingRun:
    """Test probabilities (N, K) of a classifier, its training curve, its cost, and the key that it is stored under."""

    seed: int
    key: str
    probabilities: np.ndarray
    curve: list[dict[str, float]]
    cost: dict[str, float]


class Stages:
    """What is done for one cell of `split`; `kept` are the training examples of the seed."""

    def __init__(self, cell: Cell, kept: DataSet, split: Split, store: Store, phases: Phases) -> None:
        self.cell, self.kept, self.split, self.store, self.phases = cell, kept, split, store, phases
        self.trainer, self.auditor = trainer_of(split.train.traits.kind)(), auditor_of(split.train.traits.kind)()
        self.device = torch.device(cell.device)
        self.common = {"manifest": cell.manifest.sha256, "seed": cell.manifest.seed, **_machine(cell)}

    def fill(self) -> tuple[str, DataSet, dict[str, Any]]:
        """The key, the synthetic examples, and what is told of how they were made."""
        arm, deficits = self.cell.arm, self.cell.deficits
        assert arm.generator is not None
        key = key_of(
            stage="fill",
            generator=arm.source,
            settings=arm.settings,
            inputs=arm.generator(arm.config).inputs(),
            deficits={str(label): count for label, count in deficits.items()},
            code=self.cell.code,
            **self.common,
        )
        self.phases("wait")
        entry = self.store.get("fills", key, self._fill)
        return key, DataSet.open(entry / "added"), json.loads((entry / "meta.json").read_text())

    def _fill(self, new: Path, work: Path) -> None:
        """Fits, samples, and writes the synthetic examples into `new`."""
        cell = self.cell
        assert cell.arm.generator is not None
        generator = cell.arm.generator(
            cell.arm.config, seed=cell.manifest.seed, device=cell.device, progress=self.phases("fit"), workdir=work
        )
        with measured(cell.device) as fit:
            generator.fit(self.kept.take(np.arange(len(self.kept))), list(cell.deficits))
        generator.progress = self.phases("sample")
        with measured(cell.device) as sample:
            x, labels = generator.fill(cell.deficits)
        meta = {
            "generator_log": generator.history,
            "generator_facts": generator.facts,
            "cost": {
                "fit_seconds": fit["seconds"],
                "sample_seconds": sample["seconds"],
                "peak_memory_mb": max(fit["peak_memory_mb"], sample["peak_memory_mb"]),
            },
        }
        replace(self.kept, x=x, labels=labels).save(new / "added")
        generator.save(new)
        (new / "meta.json").write_text(json.dumps(meta, allow_nan=False))

    def audit(self, added: DataSet, fill_key: str) -> dict[str, Any]:
        """What the audit says of the synthetic examples."""
        self.phases("judge")
        judge_key, judge_entry = judge_of(self.cell, self.split, self.store)

        def look(new: Path, work: Path) -> None:
            self.phases("audit")
            judge = read_judge(judge_entry, added.traits.kind, added.shape, self.device)
            found = audit(added, self.split, self.cell.manifest.kept, self.auditor, judge)
            (new / "audit.json").write_text(json.dumps(found, allow_nan=False))

        code = [code_of_module(audit.__module__), code_of(type(self.auditor))]
        entry = self.store.get("audits", key_of(stage="audit", fill=fill_key, judge=judge_key, code=code), look)
        return json.loads((entry / "audit.json").read_text())

    def train(self, data: DataSet, fill_key: str, seed: int) -> TrainingRun:
        """A classifier trained with `seed` on `data`, which is known by the key of what was filled."""
        cell = self.cell
        key = key_of(
            stage="train",
            fill=fill_key,
            strategy=cell.arm.strategy,
            classifier=asdict(cell.classifier),
            classifier_seed=seed,
            code=code_of(type(self.trainer)),
            **self.common,
        )

        def fit(new: Path, work: Path) -> None:
            progress = self.phases("train")
            with measured(cell.device) as spent:
                trained = self.trainer.train(
                    cell.classifier, data, self.split.test, seed, self.device, progress, cell.arm.strategy
                )
            np.save(new / "probabilities.npy", trained.probabilities, allow_pickle=False)
            cost = {"train_seconds": spent["seconds"], "peak_memory_mb": spent["peak_memory_mb"]}
            (new / "meta.json").write_text(json.dumps({"curve": trained.curve, "cost": cost}))

        self.phases("wait")
        entry = self.store.get("predictions", key, fit)
        meta = json.loads((entry / "meta.json").read_text())
        probabilities = np.load(entry / "probabilities.npy", allow_pickle=False)
        return TrainingRun(seed, key, probabilities, meta["curve"], meta["cost"])


def judge_of(cell: Cell, split: Split, store: Store) -> tuple[str, Path]:
    """The judge that all arms and seeds of a run share: its key, and the folder where it lies, trained if need be."""
    kind, device = split.train.traits.kind, torch.device(cell.device)
    _, eye = auditor_of(kind)().eye(split.train.shape, device) or ("", None)
    labels = sorted(label for label, count in cell.deficits.items() if count)
    key = key_of(
        stage="judge",
        data=cell.manifest.dataset,
        classifier=asdict(cell.classifier),
        labels=labels,
        eye=bool(eye),
        code=[code_of_module(make_judge.__module__), code_of(trainer_of(kind)), code_of(auditor_of(kind))],
        **_machine(cell),
    )
    return key, store.get("judges", key, lambda new, work: make_judge(cell.classifier, split, labels, device, new))


def _machine(cell: Cell) -> dict[str, Any]:
    """What of the machine changes the last bits of a result."""
    return {"device": torch.device(cell.device).type, "threads": cell.threads, "versions": versions()}
