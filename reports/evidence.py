"""The tables that the verdicts stand on: comparisons, train on synthetic, shares of the variance, audits."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from .audits import FIGURES, RATES, confused_with, entries, figure, told, who_looked
from .heatmaps import finished
from .leaderboard import BASES, TSTR, against, group_of
from .records import Run
from .statistics import Interval
from .verdicts import best_control
from .words import NOTHING, bounds, number, p_value, signed


def sentence(run: Run, board: pd.DataFrame, arm: str) -> str:
    """The verdict on an arm that can be quoted, whole."""
    row = board.loc[board["arm"] == arm].iloc[0].to_dict()
    parts = []
    for base, name in (("none", "doing nothing"), ("control", f"the best control, {best_control(run)}")):
        if not row[f"verdict_vs_{base}"]:
            continue
        gain = against(row, base)
        words = f"{row[f'verdict_vs_{base}']} against {name} ({signed(gain.mean)} {bounds(gain, sign=True)}"
        if not math.isnan(row[f"vs_{base}_p_holm"]):
            words += f", {p_value(row[f'vs_{base}_p_holm'])}; better in {row[f'vs_{base}_better']:.0%} of runs"
        parts.append(words.strip() + ")")
    flagged = f" Flagged: {', '.join(found)}." if (found := told(run, arm)) else ""
    return f"{arm}: {'; '.join(parts)}.{flagged}" if parts else ""


def verdict_rows(run: Run, board: pd.DataFrame) -> list[dict[str, Any]]:
    """Every finished arm against none and against the best control."""
    rows = []
    for row in board.to_dict("records") if (board["verdict_vs_none"] != "").any() else ():
        if group_of(row) == 2 or row["arm"] == "none":
            continue
        rows.append(
            {
                "arm": row["arm"],
                "rank": NOTHING if math.isnan(row["rank"]) else f"{row['rank']:.0f}",
                "bases": [_comparison(row, base) for base in BASES],
                "tstr": _with_bounds(*(row[f"{TSTR}_{part}"] for part in ("mean", "ci_low", "ci_high"))),
                "shares": [number(row[f"{of}_variance_share"], 2) for of in ("seed", "classifier")],
                "sentence": sentence(run, board, row["arm"]),
            }
        )
    return rows


def _comparison(row: dict[Any, Any], base: str) -> dict[str, str]:
    gain, p, detectable = against(row, base), row[f"vs_{base}_p_holm"], row[f"vs_{base}_detectable"]
    return {
        "verdict": row[f"verdict_vs_{base}"],
        "gain": signed(gain.mean),
        "bounds": bounds(gain, sign=True),
        "p": "< 0.001" if p < 0.001 else number(p),
        "better": number(row[f"vs_{base}_better"], 2),
        "detectable": "> 1" if detectable > 1 else number(detectable),
    }


def _with_bounds(mean: float, low: float, high: float) -> dict[str, str]:
    return {"text": number(mean), "bounds": bounds(Interval(mean, low, high, 0))}


def audit_rows(run: Run, board: pd.DataFrame) -> dict[str, Any]:
    """What the audits found by rare class and arm, averaged over seeds; and who looked."""
    groups = []
    for label in run.minority:
        arms = [arm for arm in finished(run, board) if any(entries(record, label) for record in run.ok(arm))]
        rows = [_audit_row(run, arm, label) for arm in arms]
        if rows:
            groups.append({"name": run.class_names[label], "real": _real_row(run, arms[0], label), "rows": rows})
    return {"who": who_looked(run), "groups": groups}


def _real_row(run: Run, arm: str, label: int) -> dict[str, Any]:
    """The same figures where they are known of real images."""
    return {
        "label_fidelity": number(figure(run, arm, "label_fidelity_real", label), 2),
        "fid": number(figure(run, arm, "fid_floor", label), 1),
        "pixels": _pixels(run, arm, label, "real"),
    }


def _audit_row(run: Run, arm: str, label: int) -> dict[str, Any]:
    def text(name: str, digits: int = 2) -> str:
        return number(figure(run, arm, name, label), digits)

    low, high = (figure(run, arm, f"kid_{end}", label) for end in ("low", "high"))
    found = [flag for record in run.ok(arm) for entry in entries(record, label) for flag in entry.get("flags") or []]
    return {
        "arm": arm,
        "rates": [_both(run, arm, name, label) for name in RATES],
        **{name: text(name) for name in FIGURES},
        "fid": text("fid", 1),
        "confused_with": confused_with(run, arm, label),
        "kid": text("kid", 3),
        "kid_bounds": bounds(Interval(0, low, high, 0)),
        "pixels": _pixels(run, arm, label, "synthetic"),
        "flags": list(dict.fromkeys(found)),
    }


def _both(run: Run, arm: str, name: str, label: int) -> dict[str, str]:
    """A rate in pixels and in features."""
    return {space: number(figure(run, arm, name, label, space), 2) for space in ("pixels", "features")}


def _pixels(run: Run, arm: str, label: int, which: str) -> list[str]:
    """Mean, spread, range and texture of pixels."""
    of = {key: figure(run, arm, which, label, key) for key in ("mean", "std", "min", "max", "texture")}
    reach = f"{number(of['min'], 0)} … {number(of['max'], 0)}"
    return [number(of["mean"], 1), number(of["std"], 1), reach, number(of["texture"], 2)]
