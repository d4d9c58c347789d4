"""What the page shows, as plain rows of text: facts, leaderboard, counts, troubles."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from ..records import MetricInfo, Record
from .adjustment import AFTER
from .audits import told
from .evidence import word_cell
from .heatmaps import counts_of, finished
from .leaderboard import best, group_of, interval, ranks_of, seconds_of
from .numbers import bounds, duration, listed, number
from .records import Run
from .verdicts import BASES, COMPARED, KNOWING
from .words import cells_done

PLOT = (132, 18, 6)  # width, height and margin of the small interval plot
MOST_CLASSES = 6


def facts(run: Run) -> list[tuple[str, str]]:
    """The few facts that a reader needs before any number."""
    data, classifier = run.dataset, run.run["classifier"]
    shape, noun = " \N{MULTIPLICATION SIGN} ".join(map(str, data["shape"])), run.run["noun"]
    shape += " columns" if "columns" in data else ""
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


def leading_heads(run: Run) -> list[dict[str, str]]:
    """How the columns of what is compared are headed, explained and sorted at first."""
    return [_head(run, name) for name in COMPARED]


def other_heads(run: Run) -> list[dict[str, str]]:
    """The same of the columns that fold out: every other metric, what a free threshold gives, and what it costs."""
    shares = "after the probabilities are divided by the classes' shares in training, which costs nothing"
    adjusted = [_head(run, name) for name in AFTER]
    gap = run.said(f"Share of the way from {{floor}} to {{ceiling}} in {_head(run, KNOWING)['label']}")
    return [
        *(_head(run, metric["name"]) for metric in _others(run)),
        *(head | {"label": f"{head['label']}, free thr.", "title": f"{head['title']}, {shares}"} for head in adjusted),
        {"label": "Gap rec.", "title": gap, "kind": "number"},
        {"label": "Time", "title": "Fit, sample and train, per seed", "kind": "number lower"},
        {"label": "Seeds", "title": "Seeds that went well", "kind": "number"},
    ]


def _others(run: Run) -> list[MetricInfo]:
    return [metric for metric in run.metrics if metric["name"] not in COMPARED]


def _head(run: Run, name: str) -> dict[str, str]:
    metric = next(one for one in run.metrics if one["name"] == name)
    return {
        "label": metric["label"],
        "title": metric["meaning"] + ("" if metric["higher_is_better"] else "; lower is better"),
        "kind": "number" if metric["higher_is_better"] else "number lower",
    }


def leaderboard_groups(run: Run, board: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows of the leaderboard in its three groups; empty groups are left out."""
    rows = board.to_dict("records")
    scale, winner = _scale(rows), best(run, board)
    base = next((row[f"{KNOWING}_mean"] for row in rows if row["arm"] == run.floor), math.nan)
    titles = ("", "With external data (pretrained weights), ranked apart", "Failed, skipped or not begun")
    groups = [
        {
            "title": title,
            "rows": [
                _board_row(run, row, winner) | {"plot": _plot(row, scale, base)}
                for row in rows
                if group_of(row) == group
            ],
        }
        for group, title in enumerate(titles)
    ]
    return [group for group in groups if group["rows"]]


def _scale(rows: list[dict[Any, Any]]) -> tuple[float, float]:
    ends = [end for row in rows for end in interval(row, KNOWING)[:3] if not math.isnan(end)]
    low, high = (min(ends), max(ends)) if ends else (0.0, 1.0)
    return (low, high) if high > low else (low - 0.05, high + 0.05)


def _board_row(run: Run, row: dict[Any, Any], winner: str | None) -> dict[str, Any]:
    name, seconds = row["arm"], seconds_of(row)
    return {
        "arm": name,
        "summary": run.arm(name)["summary"],
        "settings": ", ".join(f"{key} = {value}" for key, value in run.settings(name).items()),
        "best": name == winner,
        "reference": run.is_reference(name),
        "control": row["control"],
        "flags": told(run, name),
        "status": row["status"],
        "reason": row["reason"],
        "empty": not row["seeds"],
        "leading": [_level(row, metric) for metric in COMPARED],
        "verdicts": [word_cell(run, row, base) for base in BASES],
        "ranks": _cell(ranks_of(row), row["rank_low"]),
        "others": [
            *(_level(row, metric["name"]) for metric in _others(run)),
            *(_level(row, f"adjusted_{name}") for name in AFTER),
            _cell(number(row["gap_recovered_mean"]), row["gap_recovered_mean"]),
            _cell(duration(seconds), seconds),
            _cell(f"{row['seeds']}/{len(run.seeds)}", row["seeds"]),
        ],
    }


def _level(row: dict[Any, Any], metric: str) -> dict[str, str]:
    found = interval(row, metric)
    return _cell(number(found.mean), found.mean) | {"bounds": bounds(found)}


def _cell(text: str, value: float) -> dict[str, str]:
    return {"text": text, "bounds": "", "raw": _raw(value)}


def _raw(value: float) -> str:
    return "" if math.isnan(value) else repr(round(value, 6))


def _plot(row: dict[Any, Any], scale: tuple[float, float], base: float) -> dict[str, Any] | None:
    """Where the dot, the interval and the line of the floor lie in the small plot."""
    found = interval(row, KNOWING)
    if math.isnan(found.mean):
        return None
    width, height, margin = PLOT

    def spot(value: float) -> float:
        share = (value - scale[0]) / (scale[1] - scale[0])
        return round(margin + share * (width - 2 * margin), 1)

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
