"""The leaderboard: one row per arm, and whether the ranks allow any to be called best."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from ..records import ArmInfo
from . import audits
from .adjustment import AFTER, after_adjustment
from .estimates import Estimate
from .levels import level
from .metrics import METRICS
from .numbers import NOTHING
from .records import COSTS, Run, as_float
from .statistics import Interval, gap_recovered, t_interval
from .verdicts import (
    BASES,
    COMPARED,
    ESTIMANDS,
    HELPS,
    KNOWING,
    RECALL,
    Verdicts,
    columns,
    seed_shares,
    verdicts,
)

TSTR = f"tstr_{RECALL}"
PARTS = ("mean", "ci_low", "ci_high")


def columns_of(run: Run) -> list[str]:
    """The columns of leaderboard.csv: every metric, and the figures of the audits that run.json names."""
    return [
        "arm",
        "status",
        "seeds",
        *(f"{metric['name']}_{part}" for metric in run.metrics for part in PARTS),
        *(f"adjusted_{name}_{part}" for name in AFTER for part in PARTS),
        *(name for base in BASES for name in columns(base, None)),
        *(f"headroom_{ESTIMANDS[metric]}" for metric in COMPARED),
        "rank_low",
        "rank_high",
        "threshold_instead",
        "gap_recovered_mean",
        "external_data",
        "control",
        *COSTS,
        *(f"{TSTR}_{part}" for part in PARTS),
        "seed_variance_share",
        "classifier_variance_share",
        *audits.columns(run),
        "flags",
        "reason",
    ]


def leaderboard(run: Run) -> pd.DataFrame:
    """One row per arm, by what is known of the rare classes: those that compete, with external data, unfinished."""
    found = verdicts(run)
    rows = [_row(run, arm, found) for arm in run.arms]
    board = pd.DataFrame(rows, columns=columns_of(run))
    group = [group_of(row) for row in rows]
    order = board.assign(_group=group).sort_values(
        ["_group", f"{KNOWING}_mean"], ascending=[True, False], na_position="last", kind="stable"
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


def _reached(run: Run, arm: str, metric: str) -> Interval:
    """A metric of an arm, over its good seeds and other test examples."""
    known = [run.estimates(record) for record in run.ok(arm)]
    if not known or not all(known):
        return t_interval(run.metric(arm, metric).values())
    return _level(run, metric, [one[metric] for one in known])


def _level(run: Run, metric: str, found: Sequence[Estimate]) -> Interval:
    """What a metric reaches by its estimates of each seed; unknown without any."""
    if not found:
        return t_interval(())
    most = next(one.most for one in METRICS if one.name == metric)
    return level(found, run.test_labels, most, int(np.isin(run.test_labels, run.minority).sum()))


def _alone(run: Run, arm: str) -> Interval:
    """The recall of the rare classes when training on synthetic examples alone."""
    done = [record for record in run.ok(arm) if record["tstr"]]
    known = [run.tstr(record) for record in done]
    if not all(known):
        return t_interval(as_float(record["tstr"][RECALL]) for record in done if record["tstr"])
    return _level(run, RECALL, [one[RECALL] for one in known])


def interval(row: Mapping[Any, Any], metric: str) -> Interval:
    """What a row's arm reaches in a metric."""
    mean, low, high = (row[f"{metric}_{part}"] for part in PARTS)
    return Interval(mean, low, high, row["seeds"])


def against(row: Mapping[Any, Any], base: str, metric: str) -> Interval:
    """A row's arm minus `none`, or minus the best of the controls, in an estimand."""
    mean, low, high = (row[f"vs_{base}_{ESTIMANDS[metric]}_{part}"] for part in PARTS)
    return Interval(mean, low, high, row["seeds"])


def ranks_of(row: Mapping[Any, Any]) -> str:
    """The ranks that the data allow an arm: 2, or 1 to 7; a dash where it has none."""
    if math.isnan(row["rank_low"]):
        return NOTHING
    low, high = (f"{row[f'rank_{end}']:.0f}" for end in ("low", "high"))
    return low if low == high else f"{low} to {high}"


def _row(run: Run, arm: ArmInfo, found: Verdicts) -> dict[str, Any]:
    name = arm["name"]
    row: dict[str, Any] = {"arm": name, "status": status_of(run, name), "seeds": len(run.ok(name))}
    for metric in run.metrics:
        row |= _interval_columns(metric["name"], _reached(run, name, metric["name"]))
    for after, values in after_adjustment(run, name).items():
        row |= _interval_columns(f"adjusted_{after}", _level(run, after, values))
    for base in BASES:
        row |= columns(base, found.against[base].get(name))
    row |= {f"headroom_{ESTIMANDS[metric]}": found.headroom.get(metric, math.nan) for metric in COMPARED}
    row["rank_low"], row["rank_high"] = found.ranks.get(name, (math.nan, math.nan))
    row["threshold_instead"] = found.threshold.get(name, "")
    row["gap_recovered_mean"] = gap_recovered(*(run.metric(of, KNOWING) for of in (name, run.floor, run.ceiling)))
    row["external_data"] = arm["external_data"]
    row["control"] = run.is_control(name)
    row |= {cost: run.cost(name, cost) for cost in COSTS}
    row |= _interval_columns(TSTR, _alone(run, name))
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
    """The arms that compete for best, those that know most first: no reference, no external data, nothing missing."""
    fits = (board["status"] == "ok") & ~board["external_data"]
    named = board.loc[fits & board[f"{KNOWING}_mean"].notna(), "arm"]
    return [name for name in named if not run.is_reference(name)]


def best(run: Run, board: pd.DataFrame) -> str | None:
    """The arm that can have no other rank than the first, and is shown to help; none before every cell is done."""
    rows = board[board["arm"].isin(contenders(run, board))]
    if len(rows) < 2 or (board["status"] == "incomplete").any():
        return None
    alone = rows[(rows["rank_low"] == 1) & (rows["rank_high"] == 1) & (rows["verdict_vs_none"] == HELPS)]
    return None if alone.empty else str(alone["arm"].iloc[0])


def maybe_first(run: Run, board: pd.DataFrame) -> list[str]:
    """The contenders that may have the first rank: nothing is shown to be above them."""
    rows = board[board["arm"].isin(contenders(run, board))]
    return [str(name) for name in rows.loc[rows["rank_low"] == 1, "arm"]]
