"""What can be told of wrong input by its names alone, before PyTorch is imported, which takes seconds."""

from __future__ import annotations

import sys
from collections.abc import Collection
from importlib.metadata import entry_points
from pathlib import Path

from ..errors import FillbenchError, did_you_mean
from ..registry import registered
from ..settings import check_values
from .config import RunConfig
from .declared import declared

PACKAGE = __package__.rpartition(".")[0]
GENERATORS, TRAINERS = f"{PACKAGE}.generators", f"{PACKAGE}.classifiers"
STRATEGIES = tuple(f"{TRAINERS}.{name}" for name in ("strategies", "table_strategies"))


def precheck(config: RunConfig) -> None:
    """Raises FillbenchError for files that there are not, for settings that no generator of ours has, and for names of
    generators and strategies where no plug-in brings more."""
    for path in config.plugin:
        _check_there(path)
    generators = registered(GENERATORS)
    here = {GENERATORS, *STRATEGIES} & set(
        sys.modules
    )  # who imported these may have registered more, in a notebook say
    if not (here or config.plugin or entry_points(group=GENERATORS)):
        check_names(config, generators)
        check_strategies(config, {name: "" for package in STRATEGIES for name in registered(package)})
    for name, own in config.set.items():
        known = declared(GENERATORS, name) if name in generators else None
        if known is not None:
            check_values(known, own, f"generator '{name}'")


def check_generator(what: str) -> None:
    """Raises FillbenchError for what is no file and no generator of ours, where no plug-in brings more."""
    if what.endswith(".py"):
        _check_there(what)
    elif not (GENERATORS in sys.modules or entry_points(group=GENERATORS)):
        _check_known(what, registered(GENERATORS))


def precheck_classifier(config: RunConfig, kind: str) -> None:
    """Raises FillbenchError for settings that the trainer of this kind of data does not have."""
    known = declared(TRAINERS, kind) if kind in registered(TRAINERS) else None
    if known is not None:
        check_values(known, config.set.get("classifier", {}), "the classifier")


def check_names(config: RunConfig, generators: Collection[str]) -> None:
    """Raises FillbenchError for a name of a generator, or of one whose settings are given, that is not known."""
    for name in config.generators:
        if name != "all":
            _check_known(name, generators)
    known = ["classifier", *generators]
    for name, own in config.set.items():
        if name not in known:
            key, value = next(iter(own.items()), ("…", "…"))
            raise FillbenchError(f"--set {name}.{key}={value}: there is no '{name}'; {did_you_mean(name, known)}")


def _check_there(plugin: str) -> None:
    if not Path(plugin).expanduser().is_file():
        raise FillbenchError(f"plug-in file '{plugin}' does not exist")


def _check_known(name: str, generators: Collection[str]) -> None:
    if name not in generators:
        raise FillbenchError(f"unknown generator '{name}'; {did_you_mean(name, generators)}")


def check_strategies(config: RunConfig, strategies: Collection[str]) -> None:
    """Raises FillbenchError for the name of a strategy that is not known."""
    for name in config.strategies:
        if name not in strategies:
            raise FillbenchError(f"--strategies: unknown strategy '{name}'; {did_you_mean(name, strategies)}")
