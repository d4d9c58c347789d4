"""The tables that the verdicts stand on: comparisons, train on synthetic, shares of the variance, audits."""

from __future__ import annotations

from typing import Any

import pandas as pd

from ..records import FigureInfo
from .audits import confused_with, entries, mean_of, told, who_looked
from .heatmaps import finished
from .leaderboard import TSTR, against, group_of, ranks_of
from .numbers import bounds, number, signed, significant
from .records import Run
from .statistics import Interval
from .verdicts import BASES, COMPARED, ESTIMANDS
from .words import verdict


def sentence(run: Run, board: pd.DataFrame, arm: str) -> str:
    """The verdicts on an arm that can be quoted, whole."""
    row = board.loc[board["arm"] == arm].iloc[0].to_dict()
    parts = [said for base in BASES if (said := verdict(run, row, base))]
    if found := told(run, arm):
        parts.append(f"Flagged: {', '.join(found)}.")
    return " ".join(parts)


def verdict_rows(run: Run, board: pd.DataFrame) -> list[dict[str, Any]]:
    """Every finished arm against the floor and against the controls, in each of what is compared."""
    rows = []
    for row in board.to_dict("records") if (board["verdict_vs_none"] != "").any() else ():
        if group_of(row) == 2 or row["arm"] == run.floor:
            continue
        rows.append(
            {
                "arm": row["arm"],
                "ranks": ranks_of(row),
                "bases": [
                    {
                        "verdict": row[f"verdict_vs_{base}"],
                        "compared": [_comparison(row, base, metric) for metric in COMPARED],
                    }
                    for base in BASES
                ],
                "tstr": _with_bounds(*(row[f"{TSTR}_{part}"] for part in ("mean", "ci_low", "ci_high"))),
                "shares": [number(row[f"{of}_variance_share"], 2) for of in ("seed", "classifier")],
                "sentence": sentence(run, board, row["arm"]),
            }
        )
    return rows


def _comparison(row: dict[Any, Any], base: str, metric: str) -> dict[str, str]:
    gain, start = against(row, base, metric), f"vs_{base}_{ESTIMANDS[metric]}"
    p, detectable = row[f"{start}_p"], row[f"{start}_detectable"]
    return {
        "gain": signed(gain.mean),
        "bounds": bounds(gain, sign=True),
        "p": "< 0.001" if p < 0.001 else number(p),
        "median": signed(row[f"{start}_median"]),
        "outlying": row[f"{start}_outlying_seeds"],
        "detectable": "> 1" if detectable > 1 else number(detectable),
    }


def _with_bounds(mean: float, low: float, high: float) -> dict[str, str]:
    return {"text": number(mean), "bounds": bounds(Interval(mean, low, high, 0))}


def audit_rows(run: Run, board: pd.DataFrame) -> dict[str, Any]:
    """What the audits found by rare class and arm, averaged over seeds; who looked; and what the figures mean."""
    about, groups = run.run["audit"], []
    for label in run.minority:
        arms = [arm for arm in finished(run, board) if any(entries(record, label) for record in run.ok(arm))]
        rows = [_audit_row(run, arm, label) for arm in arms]
        if rows:
            groups.append({"name": run.class_names[label], "real": _real_row(run, arms[0], label), "rows": rows})
    explained = [(flag["name"].capitalize(), flag["explanation"]) for flag in about["flags"]]
    explained += [(figure["label"], figure["note"]) for figure in about["figures"] if figure["note"]]
    return {
        "who": who_looked(run),
        "space": about["space"],
        "heads": [figure["label"] for figure in about["figures"]] + [name.capitalize() for name in about["statistics"]],
        "groups": groups,
        "notes": explained,
    }


def _real_row(run: Run, arm: str, label: int) -> list[str]:
    """The same figures where they are known of real examples, then their statistics."""
    figures = [
        number(mean_of(run, arm, figure["real"], label), figure["digits"]) if figure["real"] else ""
        for figure in run.run["audit"]["figures"]
    ]
    return figures + _statistics(run, arm, label, "real")


def _audit_row(run: Run, arm: str, label: int) -> dict[str, Any]:
    found = [flag for record in run.ok(arm) for entry in entries(record, label) for flag in entry["flags"]]
    statistics = [{"text": text, "bounds": ""} for text in _statistics(run, arm, label, "synthetic")]
    return {
        "arm": arm,
        "flags": list(dict.fromkeys(found)),
        "confused_with": confused_with(run, arm, label),
        "cells": [_cell(run, arm, label, figure) for figure in run.run["audit"]["figures"]] + statistics,
    }


def _cell(run: Run, arm: str, label: int, figure: FigureInfo) -> dict[str, str]:
    """A figure, with its interval if it has one; of one by space, both numbers."""

    def mean(name: str, part: str | None = None) -> float:
        return mean_of(run, arm, name, label, part)

    name, digits = figure["name"], figure["digits"]
    if figure["by_space"]:
        both = (number(mean(name, space), digits) for space in (run.run["audit"]["space"], "features"))
        return {"text": " / ".join(both), "bounds": ""}
    interval = Interval(mean(name), mean(f"{name}_low"), mean(f"{name}_high"), 0)
    return {"text": number(interval.mean, digits), "bounds": bounds(interval)}


def _statistics(run: Run, arm: str, label: int, which: str) -> list[str]:
    return [significant(mean_of(run, arm, which, label, name)) for name in run.run["audit"]["statistics"]]
