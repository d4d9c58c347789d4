"""What the page shows, as plain rows of text: facts, leaderboard, counts, troubles."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from ..records import MetricInfo, Record
from .audits import told
from .heatmaps import counts_of, finished
from .leaderboard import BASES, against, group_of, interval, marks, seconds_of
from .numbers import bounds, duration, listed, number, signed
from .records import HEADLINE, Run
from .words import cells_done

PLOT = (132, 18, 6)  # width, height and margin of the small interval plot
MOST_CLASSES = 6


def facts(run: Run) -> list[tuple[str, str]]:
    """The few facts that a reader needs before any number."""
    data, classifier = run.dataset, run.run["classifier"]
    shape, noun = " \N{MULTIPLICATION SIGN} ".join(map(str, data["shape"])), run.run["noun"]
    found = [("Dataset", f"{data['name']}, {len(run.class_names)} classes, {shape}")]
    found.append(("Rare classes" if len(run.minority) > 1 else "Rare class", _rare_counts(run)))
    count, whole = sum(data["test_counts"][label] for label in run.minority), sum(data["test_counts"])
    told = len(run.minority) == 1 and count
    worth = f"; one rare {noun} is {number(1 / count)} of the recall of its class" if told else ""
    found.append((run.said("Test {plural}"), f"{count} rare of {whole}{worth}"))
    steps = f", {classifier['steps']} steps" if "steps" in classifier else ""
    found.append(("Classifier", f"{classifier['name']}{steps}"))
    found.append(("Seeds", f"{len(run.seeds)} ({listed([str(seed) for seed in run.seeds], 10)})"))
    found.append(("Done", cells_done(run) + _not_ok(run)))
    return found


def _not_ok(run: Run) -> str:
    states = [record["status"] for record in run.records.values()]
    parts = [f"{states.count(state)} {state}" for state in ("failed", "skipped") if state in states]
    return f" ({', '.join(parts)})" if parts else ""


def _rare_counts(run: Run) -> str:
    before = next((counts[0] for arm in run.arm_names if (counts := counts_of(run, arm))), None)
    texts = []
    for label in run.minority:
        text = run.class_names[label]
        if before is not None:
            text += f": {_count(before[label])} kept of {run.dataset['train_counts'][label]}"
        texts.append(text)
    return "; ".join(texts[:MOST_CLASSES]) + (
        f"; and {len(texts) - MOST_CLASSES} more" if len(texts) > MOST_CLASSES else ""
    )


def _count(value: float) -> str:
    return f"{value:.0f}" if float(value).is_integer() else f"{value:.1f}"


def metrics_shown(run: Run) -> list[MetricInfo]:
    """The metrics in the order of the page: the one that leads, then the others as their table lists them."""
    return sorted(run.metrics, key=lambda metric: metric["name"] != HEADLINE)


def metric_heads(run: Run) -> list[dict[str, str]]:
    """How the columns of the metrics are headed, explained and sorted at first."""
    return [
        {
            "label": metric["label"],
            "title": metric["meaning"] + ("" if metric["higher_is_better"] else "; lower is better"),
            "kind": "number" if metric["higher_is_better"] else "number lower",
        }
        for metric in metrics_shown(run)
    ]


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
    gain = against(row, "none")
    seconds = seconds_of(row)
    return {
        "arm": name,
        "summary": run.arm(name)["summary"],
        "settings": ", ".join(f"{key} = {value}" for key, value in run.settings(name).items()),
        "mark": found.get(name, ""),
        "reference": run.is_reference(name),
        "control": row["control"],
        "flags": told(run, name),
        "rank": "" if math.isnan(row["rank"]) else f"{row['rank']:.0f}",
        "verdicts": [row[f"verdict_vs_{base}"] for base in BASES],
        "status": row["status"],
        "reason": row["reason"],
        "seeds": f"{row['seeds']}/{len(run.seeds)}",
        "empty": not row["seeds"],
        "plot": _plot(run, name, scale),
        "metrics": [_metric(run, row, metric["name"]) for metric in metrics_shown(run)],
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
    """Where the dot, the interval and the line of the floor lie in the small plot."""
    found = interval(run, arm)
    if math.isnan(found.mean):
        return None
    width, height, margin = PLOT

    def spot(value: float) -> float:
        share = (min(max(value, scale[0]), scale[1]) - scale[0]) / (scale[1] - scale[0])
        return round(margin + share * (width - 2 * margin), 1)

    base = interval(run, run.floor).mean
    return {
        "width": width,
        "height": height,
        "middle": height / 2,
        "dot": spot(found.mean),
        "ends": (spot(found.low), spot(found.high)) if found.known else None,
        "base": None if math.isnan(base) else spot(base),
    }


def count_rows(run: Run, board: pd.DataFrame) -> dict[str, Any]:
    """Examples before and after filling: the rare classes and all together, for every arm."""
    labels = run.minority[:MOST_CLASSES]
    rows = []
    for arm in finished(run, board):
        if counts := counts_of(run, arm):
            before, after = counts
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


def _merged(cells: list[Record]) -> list[dict[str, Any]]:
    """Cells that ended alike as one entry with all their seeds."""
    alike: dict[tuple[Any, ...], list[str]] = {}
    for cell in cells:
        end = (cell["status"], cell["phase"], cell["reason"], cell["traceback"])
        alike.setdefault(end, []).append(str(cell["seed"]))
    return [
        {"seeds": seeds, "status": status, "phase": phase, "reason": reason, "traceback": traceback}
        for (status, phase, reason, traceback), seeds in alike.items()
    ]
