"""What `benchmark list` shows: a name and a line for each."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from .config import PRESETS, preset_names


def generators(plugins: tuple[str, ...]) -> dict[str, str]:
    """Every generator with the first line of its docstring."""
    from .. import generators as table
    from ..registry import load_plugin

    for path in plugins:
        load_plugin(Path(path).expanduser())
    return {name: table.load(name).summary() for name in table.names()}


def strategies(_: tuple[str, ...]) -> dict[str, str]:
    """Every way to train the classifier."""
    from ..classifiers.strategies import STRATEGIES

    return {name: STRATEGIES.get(name).summary() for name in STRATEGIES.names()}


def datasets(_: tuple[str, ...]) -> dict[str, str]:
    """Every data set known by name, and the ways to bring one's own."""
    from ..datasets.builtin import DATASETS
    from ..datasets.load import OWN

    named = {name: source.summary for name, source in DATASETS.items()}
    return named | {own.spelled: own.summary for own in OWN.values()}


def classifiers(_: tuple[str, ...]) -> dict[str, str]:
    """Every model of timm."""
    import timm

    pretrained = set(timm.list_models(pretrained=True)) | {n.split(".")[0] for n in timm.list_models(pretrained=True)}
    return {name: "pretrained weights to be had" if name in pretrained else "" for name in timm.list_models()}


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
