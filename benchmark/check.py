"""The conformance suite: what every generator must do, tried on small images."""

from __future__ import annotations

import dataclasses
import json
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import cloudpickle
import numpy as np
import torch
from pydantic import TypeAdapter

from .. import generators
from ..compute import pick_device
from ..datasets.images import toy
from ..errors import CannotFill, FillbenchError
from ..generators.base import Generator
from ..registry import load_plugin
from ..settings import build

WANTED = {1: 7, 2: 3}  # images asked for, by label
COUNTS = (24, 8, 6)


@dataclass(frozen=True)
class Result:
    """One check of one generator; `reason` says what was wrong and is empty when it passed."""

    generator: str
    name: str
    reason: str

    @property
    def passed(self) -> bool:
        """Whether nothing was wrong."""
        return not self.reason


Make = Callable[[int], Generator]


def check(what: str, settings: Sequence[str] = (), device: str = "auto") -> list[Result]:
    """Tries the generator named `what`, or those that the file `what` registers.

    Raises FillbenchError for an unknown name, a file that cannot be loaded, or a setting that will not do.
    """
    names = _register(what)
    values = {}
    for text in settings:
        key, equals, value = text.partition("=")
        if not equals:
            raise FillbenchError(f"--set {text} will not do: write KEY=VALUE, such as steps=50")
        values[key.rpartition(".")[2]] = value
    results = []
    for name in names:
        cls = generators.load(name)
        try:
            config = cls.settle(build(cls.Config, values, f"generator '{name}'"), toy((8, 8, 1), COUNTS))
            absent = cls(config).available()
        except Exception as error:
            results.append(Result(name, "It can be made from its settings", _words(error)))
            continue
        if absent:
            raise FillbenchError(f"generator '{name}' cannot run here: {absent}")
        make = partial(_make, cls, config, pick_device(device))
        for function in CHECKS:
            title = (function.__doc__ or "").strip().rstrip(".")
            results.append(Result(name, title, _reason(function, make)))
    return results


def _make(cls: type[Generator], config: Any, device: torch.device, seed: int) -> Generator:
    return cls(config, seed=seed, device=device)


def _register(what: str) -> list[str]:
    if not what.endswith(".py"):
        generators.load(what)
        return [what]
    before = set(generators.names())
    module = load_plugin(Path(what).expanduser())
    names = [name for name in generators.names() if name not in before or generators.load(name).__module__ == module]
    if not names:
        raise FillbenchError(f"'{what}' registers no generator; decorate its class with @register(\"my-generator\")")
    return names


def _reason(function: Callable[[Make], None], make: Make) -> str:
    try:
        function(make)
    except (Exception, SystemExit) as error:
        return _words(error)
    return ""


def _words(error: BaseException) -> str:
    if isinstance(error, AssertionError | FillbenchError):
        return str(error) or "it does not hold"
    return "it raised " + traceback.format_exception_only(error)[-1].strip()


def describes_itself(make: Make) -> None:
    """It has a docstring, and settings that are a frozen dataclass of plain values."""
    generator = make(0)
    assert (generator.__doc__ or "").strip(), "its class has no docstring; its first line is what users see"
    config = type(generator).Config
    assert dataclasses.is_dataclass(config), "Config must be a dataclass: @dataclass(frozen=True)"
    assert config.__dataclass_params__.frozen, "Config must be frozen: @dataclass(frozen=True)"  # type: ignore[attr-defined]
    json.dumps(TypeAdapter(config).dump_python(generator.config, mode="json"))


def fills_grey(make: Make) -> None:
    """It makes the exact number of grey images asked for, as uint8."""
    make(0).fit(toy((8, 8, 1), COUNTS), WANTED).fill(WANTED)


def fills_colour(make: Make) -> None:
    """It makes colour images, also where height and width differ."""
    make(0).fit(toy((16, 12, 3), COUNTS), WANTED).fill(WANTED)


def one_image(make: Make) -> None:
    """It makes one image when one is asked for."""
    make(0).fit(toy((8, 8, 1), COUNTS), {1: 1}).sample(1, 1)


def repeats(make: Make) -> None:
    """The same seed gives the same images, in whatever order classes are asked for."""
    train = toy((8, 8, 1), COUNTS)
    first, second = make(3).fit(train, WANTED), make(3).fit(train, WANTED)
    forward = {label: first.sample(label, count) for label, count in WANTED.items()}
    for label in reversed(WANTED):
        same = (second.sample(label, WANTED[label]) == forward[label]).all()
        assert same, "two fits with one seed differ; draw from self.rng or PyTorch's global state only"


def seeds_differ(make: Make) -> None:
    """Another seed gives other images."""
    train = toy((8, 8, 1), COUNTS)
    first, second = (make(seed).fit(train, {1: 40}).sample(1, 40) for seed in (0, 1))
    assert (first != second).any(), "seeds 0 and 1 give the same images; draw from self.rng"


def leaves_data_alone(make: Make) -> None:
    """It leaves the training images and the global random state as they were."""
    train = toy((8, 8, 1), COUNTS)
    before = train.x.copy(), train.labels.copy(), np.random.get_state()[1].copy()  # type: ignore[index]
    make(0).fit(train, WANTED).fill(WANTED)
    assert (train.x == before[0]).all() and (train.labels == before[1]).all(), "it changed its training images"
    assert (np.random.get_state()[1] == before[2]).all(), "it changed NumPy's global state"  # type: ignore[index]


def tiny_class(make: Make) -> None:
    """From a class of two images it makes more, or says with CannotFill why it cannot."""
    try:
        make(0).fit(toy((8, 8, 1), (24, 2, 6)), {1: 5}).sample(1, 5)
    except CannotFill as error:
        assert str(error), "CannotFill needs a reason"


def travels(make: Make) -> None:
    """It can be sent to a worker process."""
    generator = make(0)
    cloudpickle.loads(cloudpickle.dumps((type(generator), generator.config)))


CHECKS = (
    describes_itself,
    fills_grey,
    fills_colour,
    one_image,
    repeats,
    seeds_differ,
    leaves_data_alone,
    tiny_class,
    travels,
)
