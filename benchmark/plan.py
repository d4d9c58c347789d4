"""From a configuration to the arms and cells that answer it."""

from __future__ import annotations

import os
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields, replace
from functools import cached_property
from typing import Any

import psutil
import torch
from pydantic import TypeAdapter

from .. import generators
from ..classifiers.base import CE, Trainer, trainer_of
from ..classifiers.strategies import Strategy
from ..compute import pick_device
from ..datasets import DataSet, Traits
from ..errors import FillbenchError
from ..generators.base import Generator
from ..records import Role
from ..registry import Registry
from ..settings import build, required
from .cache import Store
from .config import RunConfig, Settings
from .data import Data
from .filtering import By
from .precheck import check_names, check_strategies
from .trials import once_in

WORKERS_AT_FULL_THREADS = 4
WORKER_MEMORY = 2 * 2**30
FEW = 50  # test examples of a class


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
    filter: By | None = None

    @property
    def name(self) -> str:
        """GENERATOR, then +filter where a filter chooses, then +STRATEGY where it is not plain cross-entropy."""
        parts = [self.source, *(["filter"] if self.filter else []), *([] if self.strategy == CE else [self.strategy])]
        return "+".join(parts)

    @property
    def role(self) -> Role:
        """What it is to the others: their floor, their ceiling, a remedy that filling has to beat, or on trial."""
        if self.generator is None:
            if self.strategy != CE:
                return "control"
            return "ceiling" if self.source == "full" else "floor"
        return "control" if self.generator.control and self.strategy == CE else "filled"

    def trained_by(self, strategy: type[Strategy]) -> Arm:
        """The same filling under another strategy."""
        if strategy.name == CE:
            return self
        how = f"{strategy.summary()}."
        return replace(self, strategy=strategy.name, summary=f"{self.summary} {how}" if self.generator else how)

    def filtered(self, by: By) -> Arm:
        """The same generator, of whose examples a classifier of the kept ones chooses."""
        return replace(self, filter=by, summary=f"{self.summary} Those that a filter by {by} lets pass.")

    @property
    def external_data(self) -> bool:
        """Whether it is ranked in the group of those that bring outside knowledge."""
        return bool(self.generator and self.generator.external_data)


@dataclass(frozen=True)
class Plan:
    """All that is decided before any work is done."""

    config: RunConfig
    data: Data
    arms: list[Arm]
    classifier: Any
    judge: Any
    """The settings that the audits' judge is trained by: those of the classifier, as it was asked for."""
    device: torch.device
    workers: int
    threads: int
    warnings: list[str]
    """What should be known before it begins, in sentences."""

    @cached_property
    def cells(self) -> list[tuple[Arm, int]]:
        """Arm and seed of every cell, seed by seed, so that a killed run has whole seeds to show."""
        return [(arm, seed) for seed in self.data.manifests for arm in self.arms]


def make_plan(config: RunConfig, data: Data, store: Store | None = None) -> Plan:
    """Resolves every name for `data`, as `prepare` gave it; what trials tell is kept in `store`, if there is one.

    Raises FillbenchError for whatever will not do.
    """
    device = pick_device(config.device)
    check_names(config, generators.names())
    train = data.split.train
    trainer = trainer_of(train.traits.kind)()
    if store:
        trainer.once = once_in(store, trainer, data.manifests[0].dataset, device)
    check_strategies(config, trainer.strategies.names())
    settings = {name: own for name, own in config.set.items() if name != "classifier"}
    everything = "all" in config.generators
    candidates = _candidates(_with_controls(config, train.traits.kind), settings, train.traits)
    ready = [_settled(arm, train, everything) for arm in candidates]
    arms = _crossed(config, trainer.strategies, _references(data.removed, train.traits), ready)
    classifier = _classifier(config, config.set.get("classifier", {}), trainer, train, device)
    if config.synthetic_weight != 1 and not trainer.weighs(classifier):
        raise FillbenchError(f"--synthetic-weight: {classifier.model} takes no weights; choose another --classifier")
    arms = _trainable(arms, config.strategies, trainer, classifier, train)
    typed = _typed(config.set, {arm.source: arm.settings for arm in ready} | {"classifier": asdict(classifier)})
    workers, threads = _parallel(config.workers, device, len(arms) * config.seeds)
    warnings = [*data.split.reading.get("warnings", ()), *_few(data), *trainer.warnings(classifier, train, device)]
    return Plan(replace(config, set=typed), data, arms, classifier, classifier, device, workers, threads, warnings)


def _few(data: Data) -> list[str]:
    """Which rare classes have few test examples: what cannot be told apart by them is not told apart."""
    test, counts = data.split.test, data.split.test.counts()
    few = [f"{counts[label]} of '{test.class_names[label]}'" for label in data.minority if counts[label] < FEW]
    return (
        [f"there are few test {test.traits.plural}, {', '.join(few)}: only large differences will show"] if few else []
    )


def _controls(config: RunConfig, table: Registry[Strategy]) -> list[str]:
    """The strategies that are controls of this run."""
    if config.controls == "none":
        return []
    return [name for name in table.names() if name != CE and (config.controls == "all" or table.get(name).cheap)]


def _with_controls(config: RunConfig, kind: str) -> tuple[str, ...]:
    """The generators of a run: those asked for, and those that are controls."""
    if config.controls == "none":
        return config.generators
    loaded = {name: generators.load(name) for name in generators.names()}
    ready = {name: cls for name, cls in loaded.items() if not set(required(cls.Config)) - set(config.set.get(name, {}))}
    return (*(name for name, cls in ready.items() if cls.control and cls.takes(kind)), *config.generators)


def _crossed(config: RunConfig, table: Registry[Strategy], references: list[Arm], fillers: list[Arm]) -> list[Arm]:
    """References, then controls, then every filler under every strategy; each arm once."""
    none = references[0]
    controls = [none.trained_by(table.get(name)) for name in (*_controls(config, table), *config.strategies)]
    asked = [arm for arm in fillers if "all" in config.generators or arm.source in config.generators]
    filled = [arm.trained_by(table.get(name)) for arm in _with_filtered(asked, config) for name in config.strategies]
    arms = [
        *references,
        *controls,
        *(arm for arm in fillers if arm.role == "control" and config.controls != "none"),
        *filled,
    ]
    return list({arm.name: arm for arm in arms}.values())


def _with_filtered(arms: list[Arm], config: RunConfig) -> list[Arm]:
    """The arms, each that is on trial followed by the same with a filter, if there is one."""
    by = config.filter
    return [one for arm in arms for one in ([arm, arm.filtered(by)] if by and arm.role == "filled" else [arm])]


def _typed(given: Settings, built: Settings) -> Settings:
    """The settings that were given with the values that were made of them: 500, whether '500' was typed or 500."""
    return {name: {key: built[name].get(key, value) for key, value in own.items()} for name, own in given.items()}


def _candidates(chosen: tuple[str, ...], settings: Settings, traits: Traits) -> list[Arm]:
    """The arms that fill. Under `all`: every generator for this kind of data whose required settings are given.

    Raises FillbenchError for one that will not do and was asked for, by its name or by a setting.
    """
    everything = "all" in chosen
    names = generators.names() if everything else list(dict.fromkeys(chosen))
    arms = []
    for name in names:
        cls, given = generators.load(name), settings.get(name, {})
        if not cls.takes(traits.kind):
            if everything and not given:
                continue
            raise FillbenchError(f"{name} takes {' or '.join(cls.kinds)}, not {traits.plural}")
        lacking = sorted(set(required(cls.Config)) - set(given))
        if everything and lacking and not given:
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


def _references(removed: int, traits: Traits) -> list[Arm]:
    natural = None if removed else f"no {traits.plural} were removed: this data is imbalanced by nature"
    return [
        Arm("none", "The imbalanced data as it is: the floor."),
        Arm("full", f"Every removed real {traits.noun} put back: the ceiling.", skip=natural),
    ]


def _classifier(
    config: RunConfig, settings: dict[str, Any], trainer: Trainer, train: DataSet, device: torch.device
) -> Any:
    """The settled settings of the classifier: flags and `--set classifier.…`."""
    given = {"model": config.classifier or trainer.default, **settings}
    known = {f.name for f in fields(trainer.Config)}
    flags = {"steps": config.steps, "pretrained": config.pretrained, "tune": config.tune}
    for name, value in flags.items():
        if name in settings and name in known:
            raise FillbenchError(f"--set classifier.{name}: give --{name} instead")
        if not value:
            continue
        if name not in known:
            own = sorted(known - {"model", *flags})
            hint = f"; --set classifier.… takes: {', '.join(own)}" if own else ""
            raise FillbenchError(
                f"--{name} has no meaning for {train.traits.plural}: {given['model']} has no {name}{hint}"
            )
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
