"""The tables that the verdicts stand on: comparisons, train on synthetic, shares of the variance, audits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from ..records import FigureInfo
from .audits import confused_with, entries, mean_of, told, who_looked
from .heatmaps import finished
from .leaderboard import PARTS, TSTR, against
from .numbers import NOTHING, bounds, listed, number, signed, significant
from .records import Run
from .statistics import Interval
from .verdicts import BASES, COMPARED, ESTIMANDS, HELPS, HURTS, MIXED, SHIFTS, TOO_FEW
from .words import by_threshold, verdict

COLOURED = (HELPS, SHIFTS, HURTS, MIXED)  # the other verdicts are plain


def sentence(run: Run, board: pd.DataFrame, arm: str) -> str:
    """The verdicts on an arm that can be quoted, whole."""
    row = board.loc[board["arm"] == arm].iloc[0].to_dict()
    parts = [said for base in BASES if (said := verdict(run, row, base))]
    if row["threshold_instead"]:
        parts.append(by_threshold(run, row, board.loc[board["arm"] == row["threshold_instead"]].iloc[0].to_dict()))
    if found := told(run, arm):
        parts.append(f"Flagged: {', '.join(found)}.")
    return " ".join(parts)


def word_cell(run: Run, row: Mapping[Any, Any], base: str) -> dict[str, str]:
    """A verdict as the page shows it: its word, the class that colours it, and why there is none."""
    rivals = _rivals(run, row["arm"], base)
    if not rivals:
        return {"word": NOTHING, "class": "", "why": ""}
    if word := row[f"verdict_vs_{base}"]:
        return {"word": word, "class": word if word in COLOURED else "", "why": ""}
    return {"word": "no verdict", "class": "", "why": _why_none(run, row["arm"], rivals)}


def _rivals(run: Run, arm: str, base: str) -> list[str]:
    """What an arm is compared to."""
    if base == "none":
        return [] if run.floor in (None, arm) else [str(run.floor)]
    return run.controls_of(arm)


def _why_none(run: Run, arm: str, rivals: list[str]) -> str:
    """Whose seeds or predictions are missing."""
    reasons = ((name, run.missing(name)) for name in (arm, *rivals))
    return next((reason if name == arm else f"{name}: {reason}" for name, reason in reasons if reason), "")


def verdict_tables(run: Run, board: pd.DataFrame) -> list[dict[str, Any]]:
    """Every arm against the floor, and against the controls, in each estimand; no table where nothing is compared."""
    rows, tables = board.to_dict("records"), []
    controls = listed(run.controls, 20)
    titles = {"none": run.said("Against {floor}"), "controls": f"Against every control: {controls}"}
    for base in BASES:
        compared = [row for row in rows if _rivals(run, row["arm"], base)]
        if all(row[f"verdict_vs_{base}"] in ("", TOO_FEW) for row in compared):
            continue
        found = [
            {
                "arm": row["arm"],
                "verdict": word_cell(run, row, base),
                "compared": [_comparison(row, base, metric) for metric in ESTIMANDS] if _judged(row, base) else [],
            }
            for row in compared
        ]
        tables.append({"title": titles[base], "rows": found})
    return tables


def _judged(row: Mapping[Any, Any], base: str) -> bool:
    return row[f"verdict_vs_{base}"] not in ("", TOO_FEW)


def headrooms(board: pd.DataFrame) -> list[str]:
    """From the floor to the best arm, in each of what is compared."""
    return [number(float(board[f"headroom_{ESTIMANDS[metric]}"].iloc[0])) for metric in COMPARED]


def beside_rows(run: Run, board: pd.DataFrame) -> list[dict[str, Any]]:
    """Training on synthetic examples alone, and shares of the variance, of the arms where any of it is known."""
    shares = [f"{of}_variance_share" for of in ("seed", "classifier")]
    known = board[board[[f"{TSTR}_mean", *shares]].notna().any(axis=1)]
    return [
        {
            "arm": row["arm"],
            "tstr": _with_bounds(*(row[f"{TSTR}_{part}"] for part in PARTS)),
            "shares": [number(row[share], 2) for share in shares],
        }
        for row in known.to_dict("records")
    ]


def sentences(run: Run, board: pd.DataFrame) -> list[str]:
    """What can be quoted of the arms that have a verdict."""
    judged = board[(board[[f"verdict_vs_{base}" for base in BASES]] != "").any(axis=1)]
    return [sentence(run, board, str(arm)) for arm in judged["arm"]]


def _comparison(row: Mapping[Any, Any], base: str, metric: str) -> dict[str, str]:
    gain, start = against(row, base, metric), f"vs_{base}_{ESTIMANDS[metric]}"
    p, detectable, enough = (row[f"{start}_{part}"] for part in ("p", "detectable", "enough_seeds"))
    return {
        "gain": signed(gain.mean),
        "bounds": bounds(gain, sign=True),
        "p": "< 0.001" if p < 0.001 else number(p),
        "median": signed(row[f"{start}_median"]),
        "outlying": row[f"{start}_outlying_seeds"],
        "detectable": "> 1" if detectable > 1 else number(detectable),
        "enough": number(enough, 0),
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
    seen = [entry for record in run.ok(arm) for entry in entries(record, label)]
    found = [flag for entry in seen for flag in entry["flags"]]
    untold = [flag for entry in seen for flag in entry.get("cannot_tell", [])]
    statistics = [{"text": text, "bounds": ""} for text in _statistics(run, arm, label, "synthetic")]
    return {
        "arm": arm,
        "flags": list(dict.fromkeys(found)),
        "untold": [flag for flag in dict.fromkeys(untold) if flag not in found],
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
