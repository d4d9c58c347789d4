"""What a sweep's folder holds: sweep.json, a `SweepInfo`, and the folder of a run for each of its points."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NotRequired

from typing_extensions import TypedDict  # pydantic reads no other before Python 3.12

from .errors import FillbenchError
from .records import checked, other_keys, read_json


@other_keys(False)
class SweepPoint(TypedDict):
    """The folder of its run, below that of the sweep, and the values there by setting."""

    folder: str
    at: dict[str, str]


@other_keys(False)
class SweepInfo(TypedDict):
    """The content of sweep.json. `over`: the values by setting, all combined or, with `pairs`, side by side. `numbers`:
    the settings whose values are amounts, between which there are others.
    `first_over`: those that were asked for at first, where some were added later.
    `unfilled`: the points at which nothing is filled, so that every arm is `none` there, and has no run of its own."""

    schema: int
    command: str
    over: dict[str, list[str]]
    first_over: NotRequired[dict[str, list[str]]]
    numbers: list[str]
    pairs: bool
    points: list[SweepPoint]
    unfilled: list[dict[str, str]]


def read_sweep(path: Path) -> SweepInfo:
    """sweep.json of a sweep's folder. Raises FillbenchError when there is none, or none of this schema."""
    file = path / "sweep.json"
    if not file.is_file():
        raise FillbenchError(f"'{path}' has no sweep.json; give the folder that `benchmark sweep` wrote")
    return checked(SweepInfo, read_json(file), f"'{file}' is damaged", "choose another --out")


def added_later(info: SweepInfo) -> dict[str, list[str]]:
    """The values by setting that were not asked for at first; of settings that have such."""
    first = info.get("first_over", info["over"])
    added = {key: [value for value in values if value not in first[key]] for key, values in info["over"].items()}
    return {key: values for key, values in added.items() if values}


def words_at(at: Mapping[str, str]) -> str:
    """The values of a point of a sweep in words: fill 0.5, keep 10."""
    return ", ".join(f"{key} {value}" for key, value in at.items())
