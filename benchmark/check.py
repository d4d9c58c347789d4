"""The conformance suite: what every generator must do, tried on small data of every kind that it takes."""

from __future__ import annotations

import dataclasses
import json
import tempfile
import traceback
from collections.abc import Callable, Iterator, Sequence
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
from ..datasets.base import DataSet, Traits, kinds, traits_of
from ..errors import CannotFill, FillbenchError
from ..generators import ANY, NotStorable, open_state, save_state
from ..generators.base import Generator
from ..generators.encoders import encoder_of, encoders
from ..registry import load_plugin
from ..settings import build

WANTED = {1: 7, 2: 3}  # examples asked for, by label
TINY = 2  # examples of a class, of which few generators can learn


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
Toys = dict[str, DataSet]


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
        takes = kinds() if cls.kinds == ANY else list(cls.kinds)
        for kind in takes:
            prefix = f"{kind}: " if len(takes) > 1 else ""
            results += [
                Result(name, prefix + title, reason)
                for title, reason in _try(cls, values, traits_of(kind), pick_device(device))
            ]
    return results


def _try(
    cls: type[Generator], values: dict[str, str], kind: type[Traits], device: torch.device
) -> Iterator[tuple[str, str]]:
    """What each check of one generator on data of one kind is called, and what was wrong."""
    try:
        config = cls.settle(build(cls.Config, values, f"generator '{cls.name}'"), _plain(kind.toys()))
        absent = cls(config).available()
    except Exception as error:
        yield "It can be made from its settings", _words(error)
        return
    if absent:
        raise FillbenchError(f"generator '{cls.name}' cannot run here: {absent}")
    make = partial(_make, cls, config, device)
    for check_one in CHECKS:
        yield (check_one.__doc__ or "").strip().rstrip("."), _reason(check_one, make, kind.toys())


def _plain(toys: Toys) -> DataSet:
    return next(iter(toys.values()))


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


def _reason(check_one: Callable[[Make, Toys], None], make: Make, toys: Toys) -> str:
    try:
        check_one(make, toys)
    except (Exception, SystemExit) as error:
        return _words(error)
    return ""


def _words(error: BaseException) -> str:
    if isinstance(error, AssertionError | FillbenchError):
        return str(error) or "it does not hold"
    return "it raised " + traceback.format_exception_only(error)[-1].strip()


def describes_itself(make: Make, toys: Toys) -> None:
    """It has a docstring, and settings that are a frozen dataclass of plain values."""
    generator = make(0)
    assert (generator.__doc__ or "").strip(), "its class has no docstring; its first line is what users see"
    config = type(generator).Config
    assert dataclasses.is_dataclass(config), "Config must be a dataclass: @dataclass(frozen=True)"
    assert config.__dataclass_params__.frozen, "Config must be frozen: @dataclass(frozen=True)"  # type: ignore[attr-defined]
    json.dumps(TypeAdapter(config).dump_python(generator.config, mode="json"))


def fills(make: Make, toys: Toys) -> None:
    """It makes the exact number of examples asked for, in the shape and type of the data."""
    for what, train in toys.items():
        try:
            make(0).fit(train, WANTED).fill(WANTED)
        except CannotFill as error:
            assert train.counts().min() <= TINY, f"{what}: {error}"
            assert str(error), "CannotFill needs a reason"
        except FillbenchError as error:
            raise AssertionError(f"{what}: {error}") from error


def one_example(make: Make, toys: Toys) -> None:
    """It makes one example when one is asked for."""
    make(0).fit(_plain(toys), [1]).sample(1, 1)


def repeats(make: Make, toys: Toys) -> None:
    """The same seed gives the same examples, in whatever order classes are asked for."""
    first, second = (make(3).fit(_plain(toys), WANTED) for _ in range(2))
    forward = {label: first.sample(label, count) for label, count in WANTED.items()}
    for label in reversed(WANTED):
        same = (second.sample(label, WANTED[label]) == forward[label]).all()
        assert same, "two fits with one seed differ; draw from self.rng or PyTorch's global state only"


def reopens(make: Make, toys: Toys) -> None:
    """What it learned can be stored and reopened, and then makes the same examples; or NotStorable says why not."""
    train = _plain(toys)
    generator, again = make(3).fit(train, WANTED), make(3)
    try:
        state = generator.state()
    except NotStorable as error:
        assert str(error), "NotStorable needs a reason"
        return
    with tempfile.TemporaryDirectory() as folder:
        save_state(Path(folder), state)
        again.restore(train, open_state(Path(folder), again.device))
    again.history, again.facts = json.loads(json.dumps([generator.history, generator.facts]))
    for label, count in WANTED.items():
        if (generator.sample(label, count) != generator.sample(label, count)).any():
            return  # which is told as what it is: it does not repeat
        same = (again.sample(label, count) == generator.sample(label, count)).all()
        assert same, "reopened, it makes other examples; _state must hold all that _sample needs"


def encodes(make: Make, toys: Toys) -> None:
    """Examples of its kind come back from the floats that networks see as they were."""
    for what, train in toys.items():
        if train.traits.kind not in encoders():
            return  # no network learns from this kind
        encoder = encoder_of(train.traits.kind).fit(train)
        back = encoder.decode(encoder.encode(train.x, torch.device("cpu")))
        complaint = train.traits.complaint(back, train.x)
        assert complaint is None, f"{what}: the encoder gives back {complaint}"
        assert np.allclose(back, train.x, rtol=1e-4, atol=1e-6, equal_nan=True), (
            f"{what}: the encoder gives back other examples"
        )


def seeds_differ(make: Make, toys: Toys) -> None:
    """Another seed gives other examples."""
    first, second = (make(seed).fit(_plain(toys), [1]).sample(1, 40) for seed in (0, 1))
    assert (first != second).any(), "seeds 0 and 1 give the same examples; draw from self.rng"


def leaves_data_alone(make: Make, toys: Toys) -> None:
    """It leaves the training examples and the global random state as they were."""
    train = _plain(toys)
    before = train.x.copy(), train.labels.copy(), np.random.get_state()[1].copy()  # type: ignore[index]
    make(0).fit(train, WANTED).fill(WANTED)
    assert (train.x == before[0]).all() and (train.labels == before[1]).all(), (
        f"it changed its training {train.traits.plural}"
    )
    assert (np.random.get_state()[1] == before[2]).all(), "it changed NumPy's global state"  # type: ignore[index]


def travels(make: Make, toys: Toys) -> None:
    """It can be sent to a worker process."""
    generator = make(0)
    cloudpickle.loads(cloudpickle.dumps((type(generator), generator.config)))


CHECKS = (
    describes_itself,
    fills,
    one_example,
    repeats,
    reopens,
    encodes,
    seeds_differ,
    leaves_data_alone,
    travels,
)
