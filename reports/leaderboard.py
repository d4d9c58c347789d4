"""The leaderboard: one row per arm, and which arms their ranks allow to be called best and second."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from ..records import ArmInfo
from . import audits
from .adjustment import AFTER, after_adjustment
from .records import COSTS, HEADLINE, Run, as_float
from .statistics import Interval, gap_recovered, paired_difference, t_interval
from .verdicts import Verdicts, columns, seed_shares, verdicts

BASES = ("none", "control")  # of comparisons, as columns are named: the floor, and the best control
TSTR = f"tstr_{HEADLINE}"


def columns_of(run: Run) -> list[str]:
    """The columns of leaderboard.csv: every metric, and the figures of the audits that run.json names."""
    parts = ("mean", "ci_low", "ci_high")
    return [
        "arm",
        "status",
        "seeds",
        *(f"{metric['name']}_{part}" for metric in run.metrics for part in parts),
        *(f"adjusted_{name}_{part}" for name in AFTER for part in parts),
        "gap_recovered_mean",
        "external_data",
        *COSTS,
        "rank",
        "control",
        *(name for base in BASES for name in columns(base, None)),
        *(f"{TSTR}_{part}" for part in parts),
        "seed_variance_share",
        "classifier_variance_share",
        *audits.columns(run),
        "flags",
        "reason",
    ]


def leaderboard(run: Run) -> pd.DataFrame:
    """One row per arm: by minority recall, then the arms with external data, then failed and skipped."""
    found = verdicts(run)
    rows = [_row(run, arm, found) for arm in run.arms]
    board = pd.DataFrame(rows, columns=columns_of(run))
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


def interval(run: Run, arm: str | None, metric: str = HEADLINE) -> Interval:
    """A metric of an arm over its good seeds."""
    return t_interval(run.metric(arm, metric).values())


def difference(run: Run, arm: str, other: str | None, metric: str) -> Interval:
    """A metric of one arm minus another's, paired by seed."""
    return paired_difference(run.metric(arm, metric), run.metric(other, metric))


def against(row: Mapping[Any, Any], base: str) -> Interval:
    """The minority recall of a row's arm minus that of the floor ('none') or of the best control ('control')."""
    mean, low, high = (row[f"vs_{base}_{part}"] for part in ("mean", "ci_low", "ci_high"))
    return Interval(mean, low, high, row["seeds"])


def _row(run: Run, arm: ArmInfo, found: Verdicts) -> dict[str, Any]:
    name = arm["name"]
    row: dict[str, Any] = {"arm": name, "status": status_of(run, name), "seeds": len(run.ok(name))}
    for metric in run.metrics:
        row |= _interval_columns(metric["name"], interval(run, name, metric["name"]))
    for after, values in after_adjustment(run, name).items():
        row |= _interval_columns(f"adjusted_{after}", t_interval(values))
    by_seed = [run.metric(of, HEADLINE) for of in (name, run.floor, run.ceiling)]
    row["gap_recovered_mean"] = gap_recovered(*by_seed)
    row["external_data"] = arm["external_data"]
    row |= {cost: run.cost(name, cost) for cost in COSTS}
    row["rank"] = found.ranks.get(name, math.nan)
    row["control"] = run.is_control(name)
    row |= columns("none", found.vs_none.get(name)) | columns("control", found.vs_control.get(name))
    alone = [as_float(metrics[HEADLINE]) for record in run.ok(name) if (metrics := run.tstr(record))]
    row |= _interval_columns(TSTR, t_interval(alone))
    row["seed_variance_share"], row["classifier_variance_share"] = seed_shares(run, name)
    row |= {column: audits.mean_of(run, name, column) for column in audits.columns(run)}
    row["flags"] = "; ".join(audits.flags(run, name))
    row["reason"] = _reason(run, name, row["status"])
    return row


def _interval_columns(name: str, found: Interval) -> dict[str, float]:
    return {f"{name}_mean": found.mean, f"{name}_ci_low": found.low, f"{name}_ci_high": found.high}


def _reason(run: Run, arm: str, status: str) -> str:
    if status == "ok":
        return ""
    if status == "incomplete":
        return f"{len(run.of(arm))} of {len(run.seeds)} seeds done"
    reasons = [record["reason"] or "no reason given" for record in run.of(arm) if record["status"] == status]
    return "; ".join(dict.fromkeys(reasons))


def contenders(run: Run, board: pd.DataFrame) -> list[str]:
    """The arms that compete for best, highest minority recall first: no reference, no external data."""
    fits = board["status"].isin(("ok", "incomplete")) & ~board["external_data"]
    named = board.loc[fits & board[f"{HEADLINE}_mean"].notna(), "arm"]
    return [name for name in named if not run.is_reference(name)]


def marks(run: Run, board: pd.DataFrame) -> dict[str, str]:
    """'best' and 'second': the arms that have ranks 1 and 2 to themselves and are shown to help.

    There is no best among fewer than two, nor before every cell is done.
    """
    names = contenders(run, board)
    if len(names) < 2 or (board["status"] == "incomplete").any():
        return {}
    rows = board.set_index("arm").loc[names]
    found = {}
    for rank, title in ((1, "best"), (2, "second")):
        holders = rows.index[(rows["rank"] == rank) & (rows["verdict_vs_none"] == "helps")]
        if (rows["rank"] <= rank).sum() != rank or len(holders) != 1:
            break
        found[str(holders[0])] = title
    return found


def first(run: Run, board: pd.DataFrame) -> list[str]:
    """The contenders of rank 1, which nothing tells apart."""
    names = contenders(run, board)
    ranks = board.set_index("arm")["rank"]
    return [name for name in names if ranks[name] == 1]
