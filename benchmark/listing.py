"""What `benchmark list` shows: a name and a line for each."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from .config import PRESETS, preset_names

if TYPE_CHECKING:
    from ..classifiers.base import Trainer


def generators(plugins: tuple[str, ...]) -> dict[str, str]:
    """Every generator with the first line of its docstring."""
    from .. import generators as table
    from ..registry import load_plugin

    for path in plugins:
        load_plugin(Path(path).expanduser())
    return {name: table.load(name).summary() for name in table.names()}


def strategies(_: tuple[str, ...]) -> dict[str, str]:
    """Every way to train the classifier, with what it does for which kind of data."""
    found: dict[str, list[str]] = {}
    for kind, trainer in _trainers().items():
        for name in trainer.strategies.names():
            found.setdefault(name, []).append(f"{kind}: {trainer.strategies.get(name).summary()}")
    return {name: "; ".join(lines) for name, lines in sorted(found.items())}


def datasets(_: tuple[str, ...]) -> dict[str, str]:
    """Every data set known by name, and the ways to bring one's own."""
    from ..datasets.builtin import DATASETS
    from ..datasets.load import OWN

    named = {name: source.summary for name, source in DATASETS.items()}
    return named | {own.spelled: own.summary for own in OWN.values()}


def classifiers(_: tuple[str, ...]) -> dict[str, str]:
    """Every classifier of every kind of data."""
    return {
        name: f"{kind}: {line}".removesuffix(": ")
        for kind, trainer in _trainers().items()
        for name, line in trainer.models().items()
    }


def _trainers() -> dict[str, type[Trainer]]:
    from ..classifiers.base import trainer_of, trainers

    return {kind: trainer_of(kind) for kind in trainers()}


def presets(_: tuple[str, ...]) -> dict[str, str]:
    """Every built-in preset with what it is about."""
    import yaml

    return {name: yaml.safe_load((PRESETS / f"{name}.yaml").read_text())["about"] for name in preset_names()}


LISTS: dict[str, Callable[[tuple[str, ...]], dict[str, str]]] = {
    "generators": generators,
    "strategies": strategies,
    "datasets": datasets,
    "classifiers": classifiers,
    "presets": presets,
}
