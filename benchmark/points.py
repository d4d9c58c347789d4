"""What a sweep asks: the values of its settings, and at each of their combinations a run and its data. Without PyTorch,
so that what is wrong is told at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from itertools import product
from typing import Any, NamedTuple

from ..datasets import Split
from ..errors import FillbenchError, did_you_mean
from ..filenames import file_name
from ..settings import MOST_FILL
from ..sweep_records import words_at
from .config import RunConfig, in_commas, read_options, resolve, words_of
from .data import Data, read, thinned
from .precheck import precheck

EVERYWHERE = ("generators", "plugin", "set", "seeds", "device")  # the same at all points
MOST_OF = {"fill": MOST_FILL, "keep": 1.0}  # as a share
NAMES_OF_DRAWS = ("split-seed",)
FORM = "write --over KEY=VALUE,VALUE, such as fill=0.5,1,2 or dcgan.steps=500,2000"


class Over(NamedTuple):
    """A setting and its values: an option of `benchmark run`, or NAME.KEY as `--set` has it."""

    key: str
    values: tuple[str, ...]


@dataclass(frozen=True)
class Point:
    """The values of a point by setting, what its run is told, and its data."""

    at: dict[str, str]
    config: RunConfig
    data: Data

    @property
    def folder(self) -> str:
        """Of its run, below that of the sweep."""
        return f"points/{file_name(','.join(f'{key}={value}' for key, value in self.at.items()))}"


@dataclass(frozen=True)
class SweepAsked:
    """A sweep: what all of its points are told, its settings, all combined or, with `pairs`, side by side; and the
    points at which something is filled, and at which nothing is."""

    flags: Mapping[str, Any]
    preset: str | None
    over: list[Over]
    pairs: bool
    points: list[Point]
    unfilled: list[dict[str, str]]

    @property
    def numbers(self) -> list[str]:
        """The settings whose values are amounts, between which there are others."""
        types = {f.name.replace("_", "-"): str(f.type) for f in fields(RunConfig)}
        return [
            key
            for key, values in self.over
            if key not in NAMES_OF_DRAWS
            and ("." in key or types[key].split(" | ")[0] in ("int", "float"))
            and all(isinstance(_number(value), float) for value in values)
        ]


def prepare(
    flags: Mapping[str, Any], preset: str | None, asked: Mapping[str, str | Iterable[Any]] | Sequence[str], pairs: bool
) -> SweepAsked:
    """The sweep that flags of a run and texts KEY=VALUE,VALUE, or a mapping, ask for; a data set is read once.

    Raises FillbenchError for names, files, classes and amounts that will not do at any point.
    """
    over = read_over(asked)
    combined = _combined(over, pairs)
    unfilled = [at for at in combined if _fills_nothing(at)]
    if unfilled and pairs and len(over) > 1:
        raise FillbenchError("--over fill: 0 cannot be one of --pairs, since what it is held against has no run there")
    splits: dict[Any, Split] = {}
    points = [_point(flags, preset, at, splits) for at in combined if at not in unfilled]
    _check_alike(points)
    return SweepAsked(flags, preset, over, pairs, points, unfilled)


def _check_alike(points: Sequence[Point]) -> None:
    """Raises FillbenchError where seeds differ, or two values of `fill` come to the same."""
    seeds = list(dict.fromkeys(point.config.seeds for point in points))
    if len(seeds) > 1:
        raise FillbenchError(f"the points would have {' and '.join(map(str, seeds))} seeds; give --seeds")
    seen: dict[Any, Point] = {}
    for point in points:
        rest = tuple(item for item in point.at.items() if item[0] != "fill")
        other = seen.setdefault((rest, tuple(point.data.deficits.items())), point)
        if other is not point:
            raise FillbenchError(
                f"--over fill: {other.at['fill']} and {point.at['fill']} fill the same, "
                f"{max(point.data.deficits.values())} of a class: a count is cut to the gap to the largest class"
            )


def read_over(asked: Mapping[str, str | Iterable[Any]] | Sequence[str]) -> list[Over]:
    """What is swept over, from texts KEY=VALUE,VALUE or a mapping. Raises FillbenchError for what will not do."""
    items = asked.items() if isinstance(asked, Mapping) else (text.partition("=")[::2] for text in asked)
    over = [_over(str(key).strip(), words_of(of if isinstance(of, str) else list(of))) for key, of in items]
    if not over:
        raise FillbenchError(f"a sweep goes over something: {FORM}")
    if len({key for key, _ in over}) < len(over):
        raise FillbenchError(f"--over names a setting twice: give all of its values at once, {FORM}")
    return over


def _over(key: str, values: tuple[str, ...]) -> Over:
    if "." not in key:  # whether there is such a generator and such a setting of it, a plan tells
        key = key.replace("_", "-")
        known = {f.name.replace("_", "-") for f in fields(RunConfig)} - {"sensitivity"}
        if key not in known:
            raise FillbenchError(f"--over {key}: there is no such setting; {did_you_mean(key, known)}")
        if key.replace("-", "_") in (*EVERYWHERE, *RunConfig.where_and_how):
            raise FillbenchError(f"--over {key}: it is the same for the whole sweep; give --{key} once")
    if key in MOST_OF and any(not value.isdigit() for value in values):  # all of them are shares
        if counts := [value for value in values if value.isdigit() and int(value) > MOST_OF[key]]:
            raise FillbenchError(f"--over {key}={in_commas(values)}: {counts[0]} is a count, and others are shares")
        values = tuple(f"{value}.0" if value.isdigit() else value for value in values)
    same = {_number(value) for value in values}
    if len(same) < 2 or len(same) < len(values):
        raise FillbenchError(
            f"--over {key}={in_commas(values)} will not do, give different values, two or more: {FORM}"
        )
    return Over(key, values)


def _number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def _combined(over: Sequence[Over], pairs: bool) -> list[dict[str, str]]:
    """The values at each point: of every combination or, with `pairs`, the first ones, the second ones, and so on."""
    keys, values = [key for key, _ in over], [values for _, values in over]
    if pairs and len(set(map(len, values))) > 1:
        told = ", ".join(f"{len(values)} of {key}" for key, values in over)
        raise FillbenchError(f"--pairs takes as many values of every setting, and here there are {told}")
    return [dict(zip(keys, at, strict=True)) for at in (zip(*values, strict=True) if pairs else product(*values))]


def _fills_nothing(at: Mapping[str, str]) -> bool:
    """Whether it is the point without filling, at which every arm is `none`, so that there is nothing to run."""
    return _number(at.get("fill", "")) == 0


def _point(flags: Mapping[str, Any], preset: str | None, at: dict[str, str], splits: dict[Any, Split]) -> Point:
    """The flags of a run with the values of a point, and its data; `splits` has, and gets, the data sets as they are.

    Raises FillbenchError for what will not do.
    """
    told, settings = dict(flags), flags.get("set") or {}
    for key, value in at.items():
        if "." not in key:
            told[key.replace("-", "_")] = value
        elif isinstance(settings, Mapping):
            settings = {**settings, key: value}
        else:
            settings = [*settings, f"{key}={value}"]
    with told_where(at):
        config = resolve({**told, "set": settings}, preset)
        if config.sensitivity:
            raise FillbenchError("a sweep takes no --sensitivity; `benchmark run` does, at one of its points")
        precheck(config)
        dataset = config.dataset, read_options(config)
        if dataset not in splits:
            splits[dataset] = read(config)
        return Point(at, config, thinned(config, splits[dataset]))


@contextmanager
def told_where(at: Mapping[str, str]) -> Iterator[None]:
    """Says of a FillbenchError at which point it is."""
    try:
        yield
    except FillbenchError as error:
        raise FillbenchError(f"--over, at {words_at(at)}: {error}") from error
