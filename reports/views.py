"""What the page shows, as plain rows of text: facts, leaderboard, counts, troubles."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from .audits import told
from .heatmaps import counts_of, finished
from .leaderboard import BASES, against, group_of, interval, marks, seconds_of
from .records import METRICS, Run
from .words import bounds, cells_done, duration, listed, number, signed

LABELS = {
    "minority_recall": ("Minority recall", "share of the rare test images that are recognised"),
    "minority_f1": ("Minority F1", "harmonic mean of recall and precision of the rare classes"),
    "macro_f1": ("Macro F1", "F1 averaged over classes, each counting the same"),
    "balanced_accuracy": ("Balanced acc.", "recall averaged over classes"),
    "g_mean": ("G-mean", "geometric mean of the recalls: 0 as soon as one class is lost"),
    "accuracy": ("Accuracy", "share of all test images; hides a lost rare class"),
    "weighted_f1": ("Weighted F1", "F1 averaged by class size"),
    "auroc": ("AUROC", "area under the ROC curve, one class against the rest"),
    "majority_recall": ("Majority recall", "recall of the other classes: what the gain costs"),
    "minority_precision": ("Minority prec.", "share of the images called rare that are"),
}
PLOT = (132, 18, 6)  # width, height and margin of the small interval plot
MOST_CLASSES = 6


def facts(run: Run) -> list[tuple[str, str]]:
    """The few facts that a reader needs before any number."""
    data, classifier = run.dataset, run.run.get("classifier") or {}
    shape = " \N{MULTIPLICATION SIGN} ".join(map(str, data.get("image_shape") or []))
    tested = data.get("test_counts") or []
    found = [("Dataset", f"{data['name']}, {len(run.class_names)} classes" + (f", {shape}" if shape else ""))]
    found.append(("Rare classes" if len(run.minority) > 1 else "Rare class", _rare_counts(run)))
    if len(tested) == len(run.class_names) and (count := sum(tested[label] for label in run.minority)):
        worth = f"{count} rare of {sum(tested)}; one rare image is {number(1 / count)} of the recall of its class"
        worth = worth if len(run.minority) == 1 else f"{count} rare of {sum(tested)}"
        found.append(("Test images", worth))
    steps = classifier.get("steps") or (run.run.get("config") or {}).get("steps")
    name = str(classifier.get("name") or "not recorded")
    found.append(("Classifier", f"{name}, {steps} steps" if steps else name))
    found.append(("Seeds", f"{len(run.seeds)} ({listed([str(seed) for seed in run.seeds], 10)})"))
    found.append(("Done", cells_done(run) + _not_ok(run)))
    return found


def _not_ok(run: Run) -> str:
    states = [record["status"] for record in run.records.values()]
    parts = [f"{states.count(state)} {state}" for state in ("failed", "skipped") if state in states]
    return f" ({', '.join(parts)})" if parts else ""


def _rare_counts(run: Run) -> str:
    before = next((c for arm in run.arm_names if (c := counts_of(run, arm, "counts_before")) is not None), None)
    all_of = run.dataset.get("train_counts") or []
    texts = []
    for label in run.minority:
        text = run.class_names[label]
        if before is not None:
            text += f": {_count(before[label])} kept"
            text += f" of {all_of[label]}" if len(all_of) == len(run.class_names) else ""
        texts.append(text)
    return "; ".join(texts[:MOST_CLASSES]) + (
        f"; and {len(texts) - MOST_CLASSES} more" if len(texts) > MOST_CLASSES else ""
    )


def _count(value: float) -> str:
    return f"{value:.0f}" if float(value).is_integer() else f"{value:.1f}"


def leaderboard_groups(run: Run, board: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows of the leaderboard in its three groups; empty groups are left out."""
    rows = board.to_dict("records")
    scale = _scale(run, rows)
    found = marks(run, board)
    titles = ("", "With external data (pretrained weights), ranked apart", "Failed, skipped or not begun")
    groups = [
        {
            "title": title,
            "rows": [_board_row(run, row, scale, found) for row in rows if group_of(row) == group],
        }
        for group, title in enumerate(titles)
    ]
    return [group for group in groups if group["rows"]]


def _scale(run: Run, rows: list[dict[Any, Any]]) -> tuple[float, float]:
    ends = [end for row in rows for end in interval(run, row["arm"])[:3] if not math.isnan(end)]
    low, high = (max(-0.25, min(ends)), min(1.25, max(ends))) if ends else (0.0, 1.0)
    return (low, high) if high > low else (low - 0.05, high + 0.05)


def _board_row(run: Run, row: dict[Any, Any], scale: tuple[float, float], found: dict[str, str]) -> dict[str, Any]:
    name = row["arm"]
    about = run.arm(name)
    gain = against(row, "none")
    seconds = seconds_of(row)
    return {
        "arm": name,
        "summary": about.get("summary") or "",
        "settings": ", ".join(f"{key} = {value}" for key, value in run.settings(name).items()),
        "mark": found.get(name, ""),
        "reference": bool(about.get("reference")),
        "control": row["control"],
        "flags": told(run, name),
        "rank": "" if math.isnan(row["rank"]) else f"{row['rank']:.0f}",
        "verdicts": [row[f"verdict_vs_{base}"] for base in BASES],
        "status": row["status"],
        "reason": row["reason"],
        "seeds": f"{row['seeds']}/{len(run.seeds)}",
        "empty": not row["seeds"],
        "plot": _plot(run, name, scale),
        "metrics": [_metric(run, row, metric) for metric in METRICS],
        "gain": {"text": signed(gain.mean), "bounds": bounds(gain, sign=True), "raw": _raw(gain.mean)},
        "gap": {
            "text": number(row["gap_recovered_mean"]),
            "bounds": "",
            "raw": _raw(row["gap_recovered_mean"]),
        },
        "seconds": {"text": duration(seconds), "bounds": "", "raw": _raw(seconds)},
    }


def _metric(run: Run, row: dict[Any, Any], metric: str) -> dict[str, str]:
    mean = row[f"{metric}_mean"]
    return {"text": number(mean), "bounds": bounds(interval(run, row["arm"], metric)), "raw": _raw(mean)}


def _raw(value: float) -> str:
    return "" if math.isnan(value) else repr(round(value, 6))


def _plot(run: Run, arm: str, scale: tuple[float, float]) -> dict[str, Any] | None:
    """Where the dot, the interval and the line of `none` lie in the small plot."""
    found = interval(run, arm)
    if math.isnan(found.mean):
        return None
    width, height, margin = PLOT

    def spot(value: float) -> float:
        share = (min(max(value, scale[0]), scale[1]) - scale[0]) / (scale[1] - scale[0])
        return round(margin + share * (width - 2 * margin), 1)

    base = interval(run, "none").mean
    return {
        "width": width,
        "height": height,
        "middle": height / 2,
        "dot": spot(found.mean),
        "ends": (spot(found.low), spot(found.high)) if found.known else None,
        "base": None if math.isnan(base) else spot(base),
    }


def count_rows(run: Run, board: pd.DataFrame) -> dict[str, Any]:
    """Images before and after filling: the rare classes and all together, for every arm."""
    labels = run.minority[:MOST_CLASSES]
    rows = []
    for arm in finished(run, board):
        before, after = (counts_of(run, arm, which) for which in ("counts_before", "counts_after"))
        if before is not None and after is not None:
            pairs = [(before[label], after[label]) for label in labels] + [(before.sum(), after.sum())]
            rows.append({"arm": arm, "cells": [f"{_count(old)} → {_count(new)}" for old, new in pairs]})
    return {"head": [run.class_names[label] for label in labels] + ["All classes"], "rows": rows}


def troubles(run: Run, board: pd.DataFrame) -> list[dict[str, Any]]:
    """Failed and skipped cells with phase, reason and traceback, and arms with cells missing."""
    found = []
    for row in board.to_dict("records"):
        if row["status"] == "incomplete":
            found.append({"arm": row["arm"], "status": "incomplete", "cells": [], "reason": row["reason"]})
        cells = [record for record in run.of(row["arm"]) if record["status"] != "ok"]
        if cells:
            found.append({"arm": row["arm"], "status": row["status"], "cells": _merged(cells), "reason": ""})
    return found


def _merged(cells: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Cells that ended alike as one entry with all their seeds."""
    alike: dict[tuple[Any, ...], list[str]] = {}
    for cell in cells:
        end = tuple(cell.get(key) for key in ("status", "phase", "reason", "traceback"))
        alike.setdefault(end, []).append(str(cell["seed"]))
    return [
        {"seeds": seeds, "status": status, "phase": phase, "reason": reason, "traceback": traceback}
        for (status, phase, reason, traceback), seeds in alike.items()
    ]
