"""The leaderboard: one row per arm, and which arms the intervals allow to be called best and second."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from .records import COSTS, METRICS, Run
from .statistics import Interval, gap_recovered, paired_difference, t_interval

HEADLINE = "minority_recall"
COLUMNS = [
    "arm",
    "status",
    "seeds",
    *(f"{metric}_{part}" for metric in METRICS for part in ("mean", "ci_low", "ci_high")),
    "gap_recovered_mean",
    "external_data",
    *COSTS,
    "reason",
]


def leaderboard(run: Run) -> pd.DataFrame:
    """One row per arm: by minority recall, then the arms with external data, then failed and skipped."""
    rows = [_row(run, arm) for arm in run.arms]
    board = pd.DataFrame(rows, columns=COLUMNS)
    group = [group_of(row) for row in rows]
    order = board.assign(_group=group).sort_values(
        ["_group", f"{HEADLINE}_mean"], ascending=[True, False], na_position="last", kind="stable"
    )
    return board.loc[order.index].reset_index(drop=True)


def group_of(row: Mapping[Any, Any] | pd.Series) -> int:
    """0: ranked; 1: ranked among the arms with external data; 2: failed, skipped or nothing yet."""
    if row["status"] in ("failed", "skipped") or not row["seeds"]:
        return 2
    return 1 if row["external_data"] else 0


def seconds_of(row: Mapping[Any, Any]) -> float:
    """Fit, sample and train together; what was not measured counts nothing, NaN if nothing was."""
    known = [row[cost] for cost in COSTS[:3] if not math.isnan(row[cost])]
    return sum(known) if known else math.nan


def status_of(run: Run, arm: str) -> str:
    """ok when every seed is; else failed, skipped or, where cells are missing, incomplete."""
    found = [record["status"] for record in run.of(arm)]
    for status in ("failed", "skipped"):
        if status in found:
            return status
    return "ok" if len(found) == len(run.seeds) else "incomplete"


def interval(run: Run, arm: str, metric: str = HEADLINE) -> Interval:
    """A metric of an arm over its good seeds."""
    return t_interval(run.metric(arm, metric).values())


def difference(run: Run, arm: str, other: str, metric: str = HEADLINE) -> Interval:
    """A metric of one arm minus another's, paired by seed."""
    return paired_difference(run.metric(arm, metric), run.metric(other, metric))


def _row(run: Run, arm: dict[str, Any]) -> dict[str, Any]:
    name = arm["name"]
    row: dict[str, Any] = {"arm": name, "status": status_of(run, name), "seeds": len(run.ok(name))}
    for metric in METRICS:
        found = interval(run, name, metric)
        row |= {f"{metric}_mean": found.mean, f"{metric}_ci_low": found.low, f"{metric}_ci_high": found.high}
    by_seed = [run.metric(of, HEADLINE) for of in (name, "none", "full")]
    row["gap_recovered_mean"] = gap_recovered(*by_seed)
    row["external_data"] = bool(arm.get("external_data", False))
    row |= {cost: run.cost(name, cost) for cost in COSTS}
    row["reason"] = _reason(run, name, row["status"])
    return row


def _reason(run: Run, arm: str, status: str) -> str:
    if status == "ok":
        return ""
    if status == "incomplete":
        return f"{len(run.of(arm))} of {len(run.seeds)} seeds done"
    reasons = [str(r.get("reason") or "no reason given") for r in run.of(arm) if r["status"] == status]
    return "; ".join(dict.fromkeys(reasons))


def contenders(run: Run, board: pd.DataFrame) -> list[str]:
    """The generators that compete for best, highest minority recall first: no reference, no external data."""
    fits = board["status"].isin(("ok", "incomplete")) & ~board["external_data"]
    named = board.loc[fits & board[f"{HEADLINE}_mean"].notna(), "arm"]
    return [name for name in named if not run.arm(name).get("reference")]


def marks(run: Run, board: pd.DataFrame) -> dict[str, str]:
    """'best' and 'second', only where the paired intervals tell an arm from all below it.

    Best has to stand above every other contender and above `none`; second above all that remain.
    There is no best among fewer than two, nor before every cell is done.
    """
    names = contenders(run, board)
    if len(names) < 2 or (board["status"] == "incomplete").any() or rival(run, board, names[0]):
        return {}
    found = {names[0]: "best"}
    if len(names) > 2 and not rival(run, board, names[1]):
        found[names[1]] = "second"
    return found


def rival(run: Run, board: pd.DataFrame, name: str) -> str | None:
    """The first arm below `name` that the seeds cannot tell from it, `none` included."""
    below = contenders(run, board)
    below = below[below.index(name) + 1 :]
    if run.metric("none", HEADLINE):
        below.append("none")
    return next((other for other in below if not difference(run, name, other).above_zero), None)
