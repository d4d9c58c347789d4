"""From a configuration to the arms and cells that answer it."""

from __future__ import annotations

import os
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import psutil
import torch
from pydantic import TypeAdapter

from .. import generators
from ..classifiers.base import CE, Trainer, trainer_of
from ..classifiers.strategies import Strategy
from ..compute import pick_device
from ..datasets import DataSet, Split, fingerprint, load
from ..datasets.imbalance import (
    Counts,
    Manifest,
    deficits,
    find_classes,
    longtail_targets,
    rare_classes,
    step_targets,
    thin,
)
from ..errors import FillbenchError, did_you_mean
from ..generators.base import Generator
from ..registry import Registry, load_plugin
from ..settings import build, required
from .config import RunConfig

WORKERS_AT_FULL_THREADS = 4
WORKER_MEMORY = 2 * 2**30


@dataclass(frozen=True)
class Arm:
    """A row of the leaderboard: what a generator with its settings fills (or, `generator` None, a reference leaves as
    it is), on which the classifier is trained by a strategy.

    `settings` are those of `config`, JSON-able. `skip` is the reason why no cell of it is run.
    """

    source: str
    summary: str
    generator: type[Generator] | None = None
    config: Any = None
    settings: dict[str, Any] = field(default_factory=dict)
    skip: str | None = None
    strategy: str = CE

    @property
    def name(self) -> str:
        """GENERATOR, or GENERATOR+STRATEGY where the classifier is not trained by plain cross-entropy."""
        return self.source if self.strategy == CE else f"{self.source}+{self.strategy}"

    @property
    def reference(self) -> bool:
        """Whether it is the floor or the ceiling of the others."""
        return self.generator is None and self.strategy == CE

    @property
    def control(self) -> bool:
        """Whether it is a cheap remedy that needs no generator, which filling has to beat."""
        return (self.source, self.strategy) == ("oversample", CE) or (self.source == "none" and self.strategy != CE)

    def trained_by(self, strategy: type[Strategy]) -> Arm:
        """The same filling under another strategy."""
        if strategy.name == CE:
            return self
        how = f"{strategy.summary()}."
        return replace(self, strategy=strategy.name, summary=f"{self.summary} {how}" if self.generator else how)

    @property
    def external_data(self) -> bool:
        """Whether it is ranked in the group of those that bring outside knowledge."""
        return bool(self.generator and self.generator.external_data)


@dataclass(frozen=True)
class Plan:
    """All that is decided before any work is done."""

    config: RunConfig
    split: Split
    minority: tuple[int, ...]
    manifests: dict[int, Manifest]
    deficits: dict[int, int]
    arms: list[Arm]
    classifier: Any
    device: torch.device
    workers: int
    threads: int
    warnings: list[str] = field(default_factory=list)
    """What should be known before it begins, in sentences."""

    @cached_property
    def cells(self) -> list[tuple[Arm, int]]:
        """Arm and seed of every cell, seed by seed, so that a killed run has whole seeds to show."""
        return [(arm, seed) for seed in self.manifests for arm in self.arms]


def make_plan(config: RunConfig) -> Plan:
    """Loads the data and resolves every name. Raises FillbenchError for whatever in `config` will not do."""
    device = pick_device(config.device)
    for path in config.plugin:
        load_plugin(Path(path).expanduser())
    settings = _by_name(config.set)
    classifier = settings.pop("classifier", {})
    candidates = _candidates(_with_controls(config), settings)
    folder = Path(config.data_dir).expanduser()
    split = load(config.dataset, folder, config.size, config.drop_validation, config.flip)
    trainer = trainer_of(split.train.traits.kind)()
    _check_strategies(config.strategies, trainer.strategies)
    minority, target = _imbalance(config, split)
    lacking = deficits(target, minority, config.fill)
    digest = fingerprint(split)
    manifests = {seed: Manifest(digest, seed, thin(split.train.labels, target, seed)) for seed in range(config.seeds)}
    everything = "all" in config.generators
    ready = [_settled(arm, split.train, everything) for arm in candidates]
    arms = _crossed(config, trainer.strategies, _references(removed=len(split.train) - int(target.sum())), ready)
    chosen = _classifier(config, classifier, trainer, split.train, device)
    arms = _trainable(arms, config.strategies, trainer, chosen, split.train)
    workers, threads = _parallel(config.workers, device, len(arms) * config.seeds)
    return Plan(
        config,
        split,
        minority,
        manifests,
        lacking,
        arms,
        chosen,
        device,
        workers,
        threads,
        trainer.warnings(chosen, split.train, device),
    )


def _check_strategies(names: tuple[str, ...], table: Registry[Strategy]) -> None:
    for name in names:
        if name not in table.names():
            raise FillbenchError(f"--strategies: unknown strategy '{name}'; {did_you_mean(name, table.names())}")


def _controls(config: RunConfig, table: Registry[Strategy]) -> list[str]:
    """The strategies that are controls of this run."""
    if config.controls == "none":
        return []
    return [name for name in table.names() if name != CE and (config.controls == "all" or table.get(name).cheap)]


def _with_controls(config: RunConfig) -> tuple[str, ...]:
    """The generators of a run: those asked for, and the one that is a control."""
    asked = config.generators
    return asked if config.controls == "none" or {"all", "oversample"} & set(asked) else ("oversample", *asked)


def _crossed(config: RunConfig, table: Registry[Strategy], references: list[Arm], fillers: list[Arm]) -> list[Arm]:
    """References, then controls, then every filler under every strategy; each arm once."""
    none = references[0]
    controls = [none.trained_by(table.get(name)) for name in (*_controls(config, table), *config.strategies)]
    asked = [arm for arm in fillers if "all" in config.generators or arm.source in config.generators]
    filled = [arm.trained_by(table.get(name)) for arm in asked for name in config.strategies]
    arms = [*references, *controls, *(arm for arm in fillers if arm.control and config.controls != "none"), *filled]
    return list({arm.name: arm for arm in arms}.values())


def _by_name(settings: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """{'dcgan.steps': 500} as {'dcgan': {'steps': 500}}. Raises FillbenchError for an unknown name."""
    found: dict[str, dict[str, Any]] = {}
    known = ["classifier", *generators.names()]
    for key, value in settings.items():
        name, _, setting = key.partition(".")
        if name not in known:
            raise FillbenchError(f"--set {key}={value}: there is no '{name}'; {did_you_mean(name, known)}")
        if not setting:
            raise FillbenchError(f"--set {key}={value} will not do: write NAME.KEY=VALUE, such as dcgan.steps=500")
        found.setdefault(name, {})[setting] = value
    return found


def _candidates(chosen: tuple[str, ...], settings: dict[str, dict[str, Any]]) -> list[Arm]:
    """The arms that fill. Under `all`: every generator whose required settings are given."""
    everything = "all" in chosen
    names = generators.names() if everything else list(dict.fromkeys(chosen))
    arms = []
    for name in names:
        cls = generators.load(name)
        given = settings.get(name, {})
        lacking = sorted(set(required(cls.Config)) - set(given))
        if everything and lacking:
            if name not in generators.builtin():
                arms.append(Arm(name, cls.summary(), cls, skip=f"needs --set {name}.{lacking[0]}=…"))
            continue
        with _plug_ins_mistakes(name):
            arms.append(Arm(name, cls.summary(), cls, build(cls.Config, given, f"generator '{name}'")))
    for name in settings:
        if name not in names:
            raise FillbenchError(f"--set {name}.…: '{name}' is not among the generators of this run")
    return arms


@contextmanager
def _plug_ins_mistakes(name: str) -> Iterator[None]:
    """Raises FillbenchError for whatever goes wrong within the code that generator `name` brings."""
    try:
        yield
    except FillbenchError:
        raise
    except Exception as error:
        reason = traceback.format_exception_only(error)[-1].strip().splitlines()[0]
        raise FillbenchError(f"generator '{name}' could not be set up: {reason}; see: benchmark check") from error


def _settled(arm: Arm, train: DataSet, everything: bool) -> Arm:
    """The arm with its settings decided; skipped when it cannot run here.

    Raises FillbenchError when it was asked for by name and cannot run.
    """
    cls = arm.generator
    if arm.skip or cls is None:
        return arm
    with _plug_ins_mistakes(arm.name):
        config = cls.settle(arm.config, train)
        settings = TypeAdapter(cls.Config).dump_python(config, mode="json")
        reason = cls(config).available()
    if reason and not everything:
        raise FillbenchError(f"generator '{arm.name}' cannot run here: {reason}")
    return replace(arm, config=config, settings=settings, skip=reason)


def _imbalance(config: RunConfig, split: Split) -> tuple[tuple[int, ...], Counts]:
    """The minority's labels, and how many images each class keeps."""
    counts = split.train.counts()
    named = () if config.minority == ("auto",) else find_classes(config.minority, split.train.class_names)
    if config.profile == "longtail":
        target = longtail_targets(counts, 100 if config.imbalance_ratio is None else config.imbalance_ratio)
    else:
        target = counts if config.keep is None else step_targets(counts, named, config.keep)
    return named or rare_classes(target), target


def _references(removed: int) -> list[Arm]:
    natural = None if removed else "no images were removed: this data is imbalanced by nature"
    return [
        Arm("none", "The imbalanced data as it is: the floor."),
        Arm("full", "Every removed real image put back: the ceiling.", skip=natural),
    ]


def _classifier(
    config: RunConfig, settings: dict[str, Any], trainer: Trainer, train: DataSet, device: torch.device
) -> Any:
    """The settled settings of the classifier: flags and `--set classifier.…`."""
    given = {"model": config.classifier or trainer.default, **settings}
    known = {f.name for f in fields(trainer.Config)}
    for name, value in (("steps", config.steps), ("pretrained", config.pretrained)):
        if name in settings and name in known:
            raise FillbenchError(f"--set classifier.{name}: give --{name} instead")
        if not value:
            continue
        if name not in known:
            raise FillbenchError(f"--{name} has no meaning for {train.traits.plural}: {given['model']} has no {name}")
        given[name] = value
    return trainer.settle(build(trainer.Config, given, "the classifier"), train, device)


def _trainable(arms: list[Arm], asked: tuple[str, ...], trainer: Trainer, classifier: Any, train: DataSet) -> list[Arm]:
    """The arms, skipped where the classifier cannot be trained by their strategy.

    Raises FillbenchError when that strategy was asked for by name.
    """
    used = dict.fromkeys(arm.strategy for arm in arms)
    refused = {name: reason for name in used if (reason := trainer.refuses(classifier, train, name))}
    for name in asked:
        if name in refused:
            raise FillbenchError(f"--strategies: {classifier.model} cannot be trained by '{name}': it {refused[name]}")
    return [replace(arm, skip=arm.skip or refused.get(arm.strategy)) for arm in arms]


def _parallel(asked: int | None, device: torch.device, cells: int) -> tuple[int, int]:
    """Worker processes, and CPU threads for each.

    One worker a GPU; on the CPU as many as cores and memory allow. The number of threads changes the last bits of a
    sum. So it depends on the machine alone, a quarter of its cores, unless more than four workers are asked for.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    threads = max(1, cores // max(asked or 0, WORKERS_AT_FULL_THREADS))
    if device.type == "cuda":
        workers = torch.cuda.device_count()
    elif device.type == "mps":
        workers = 1
    else:
        workers = min(cores // threads, max(1, int(psutil.virtual_memory().available // WORKER_MEMORY)))
    return min(asked or workers, cells), threads
