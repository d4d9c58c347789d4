"""What the runs of a sweep found, as one table, and the points at which something turns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from ..sweep_records import SweepInfo
from .leaderboard import PARTS, against, leaderboard
from .records import Run
from .turning import turn
from .verdicts import COMPARED, ESTIMANDS


class Question(NamedTuple):
    """From which point on does an arm do so? `sign`: of its difference to the base."""

    does: str
    do: str
    base: str
    sign: int


QUESTIONS = (
    Question("beats every control", "beat every control", "controls", 1),
    Question("hurts", "hurt", "none", -1),
)


def axis_of(info: SweepInfo) -> tuple[str, list[str]]:
    """The first setting, which is on the axis, and its values."""
    return next(iter(info["over"].items()))


def others_of(info: SweepInfo) -> list[str]:
    """The settings of whose combinations each has curves of its own; with `pairs` there are none."""
    return [] if info["pairs"] else list(info["over"])[1:]


def groups(info: SweepInfo, found: pd.DataFrame) -> Iterator[tuple[dict[str, str], pd.DataFrame]]:
    """The rows for every combination of the settings but the first."""
    others = others_of(info)
    if not others:
        yield {}, found
        return
    for values, rows in found.groupby(others, sort=False):
        yield dict(zip(others, map(str, values), strict=True)), rows


def table_of(info: SweepInfo, runs: Sequence[Run]) -> pd.DataFrame:
    """The leaderboards of all points as one table, with the values of each setting first; `filled` is false of what
    stands where nothing is filled, and has no run of its own."""
    rows = [
        {**point["at"], "filled": True, **row}
        for run, point in zip(runs, info["points"], strict=True)
        for row in leaderboard(run).to_dict("records")
    ]
    for at in info["unfilled"]:
        rest = {key: value for key, value in at.items() if key != "fill"}
        run = next(run for run, point in zip(runs, info["points"], strict=True) if rest.items() <= point["at"].items())
        rows += [{**at, "filled": False, **row} for row in _unfilled(run)]
    return pd.DataFrame(rows)


def _unfilled(run: Run) -> list[dict[Any, Any]]:
    """What a leaderboard would be if nothing were filled: an arm that fills is `none`, trained as the arm is."""
    if run.floor is None:
        return []
    plain = [arm["name"] for arm in run.arms if run.is_reference(arm["name"]) or arm["source"] == run.floor]
    board = {row["arm"]: row for row in leaderboard(run.only(plain)).to_dict("records")}
    columns = [f"{metric['name']}_{part}" for metric in run.metrics for part in PARTS]
    columns += [f"vs_none_{ESTIMANDS[metric]}_{part}" for metric in COMPARED for part in PARTS]
    nothing = {f"vs_none_{ESTIMANDS[metric]}_{part}": 0.0 for metric in COMPARED for part in PARTS}
    found = [{name: of for name, of in row.items() if "vs_controls" not in str(name)} for row in board.values()]
    for arm in run.arms:
        if arm["name"] in plain:
            continue
        same = f"{run.floor}+{arm['strategy']}" if arm["name"] == f"{arm['source']}+{arm['strategy']}" else run.floor
        if same in board:
            row: dict[Any, Any] = {name: board[same][name] for name in ("seeds", *columns)}
            row |= {"arm": arm["name"], "external_data": arm["external_data"], "control": run.is_control(arm["name"])}
            found.append(row | (nothing if same == run.floor else {}))
    return found


def turning_points(info: SweepInfo, found: pd.DataFrame) -> pd.DataFrame:
    """From which value of the first setting on an arm beats every control, and from which it hurts: a row for each arm,
    estimand and question, `from` NaN where that is nowhere so on average, `from_high` where it is nowhere shown.

    `lowest`: the lowest value with an interval. `not_shown_at`: higher values at which it is not shown any more. Where
    nothing is filled there is no difference to be shown. No rows where the values are no amounts.
    """
    key, _ = axis_of(info)
    rows = [
        {**at, "arm": arm, "estimand": ESTIMANDS[metric], "change": question.does, **asked}
        for at, group in groups(info, found[found["filled"]])
        if key in info["numbers"]
        for arm, own in group.groupby("arm", sort=False)
        for metric in COMPARED
        for question in QUESTIONS
        if (asked := _turn(own, key, metric, question)) is not None
    ]
    names = [*others_of(info), "arm", "estimand", "change", "lowest", "from", "from_low", "from_high", "not_shown_at"]
    return pd.DataFrame(rows, columns=names)


def _turn(rows: pd.DataFrame, key: str, metric: str, question: Question) -> dict[str, Any] | None:
    """None where there is no interval at two points or more."""
    bands = sorted((float(row[key]), against(row, question.base, metric)) for row in rows.to_dict("records"))
    bands = [(x, band) for x, band in bands if band.known]
    if len(bands) < 2:
        return None
    x = np.array([x for x, _ in bands])
    mean, low, high = (np.array([getattr(band, end) for _, band in bands]) for end in ("mean", "low", "high"))
    if question.sign < 0:
        mean, low, high = -mean, -high, -low
    found = turn(x, mean, low, high)
    later = [f"{value:g}" for value, least in zip(x, low, strict=True) if value > found.surest and least <= 0]
    return {
        "lowest": x[0],
        "from": found.mean,
        "from_low": found.earliest,
        "from_high": found.surest,
        "not_shown_at": ", ".join(later),
    }
