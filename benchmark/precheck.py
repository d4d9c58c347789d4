"""What can be told of wrong input by its names alone, before PyTorch is imported, which takes seconds."""

from __future__ import annotations

import sys
from collections.abc import Collection
from importlib.metadata import entry_points
from pathlib import Path

from ..errors import FillbenchError, did_you_mean
from ..registry import registered
from .config import RunConfig

GENERATORS = f"{__package__.rpartition('.')[0]}.generators"


def precheck(config: RunConfig) -> None:
    """Raises FillbenchError for files that there are not, and names of generators where no plug-in brings more."""
    for path in config.plugin:
        if not Path(path).expanduser().is_file():
            raise FillbenchError(f"plug-in file '{path}' does not exist")
    here = GENERATORS in sys.modules  # who has imported it may have registered more, in a notebook say
    if not (here or config.plugin or entry_points(group=GENERATORS)):
        check_names(config, registered(GENERATORS))


def check_names(config: RunConfig, generators: Collection[str]) -> None:
    """Raises FillbenchError for a name of a generator, or of one whose settings are given, that is not known."""
    for name in config.generators:
        if name != "all" and name not in generators:
            raise FillbenchError(f"unknown generator '{name}'; {did_you_mean(name, generators)}")
    known = ["classifier", *generators]
    for name, own in config.set.items():
        if name not in known:
            key, value = next(iter(own.items()), ("…", "…"))
            raise FillbenchError(f"--set {name}.{key}={value}: there is no '{name}'; {did_you_mean(name, known)}")
