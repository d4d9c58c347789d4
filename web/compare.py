"""Two arms of a run, side by side."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..reports import evidence
from ..reports.heatmaps import confusion_of, recall_of
from ..reports.leaderboard import interval
from ..reports.numbers import bounds, number, signed
from ..reports.previews import by_class, preview_of, samples_of
from ..reports.records import Run
from ..reports.verdicts import COMPARED
from .library import OpenRun

MOST_CLASSES = 20  # of a table of confusions


def compared(opened: OpenRun, first: str, second: str) -> dict[str, Any]:
    """What the page shows of two arms."""
    run, board = opened.run, opened.board
    names = dict.fromkeys((first, second))
    rows = {name: board.loc[board["arm"] == name].iloc[0].to_dict() for name in names}
    preview = preview_of(run.run["kind"])
    only, pair = run.only(names), board[board["arm"].isin(names)]
    return {
        "pair": [_about(run, opened, rows[name], name) for name in (first, second)],
        "metrics": _metrics(run, rows[first], rows[second]),
        "classes": _by_class(run, first, second),
        "confusion": _confusion(run, first, second),
        "audits": evidence.audit_rows(only, pair),
        "samples": by_class(only, samples_of(only, pair, preview), preview),
    }


def _about(run: Run, opened: OpenRun, row: dict[Any, Any], name: str) -> dict[str, Any]:
    return {
        "name": name,
        "summary": run.arm(name)["summary"],
        "status": row["status"],
        "verdicts": [evidence.word_cell(run, row, base) for base in ("none", "controls")],
        "sentence": evidence.sentence(run, opened.board, name) if row["status"] == "ok" else row["reason"],
    }


def _metrics(run: Run, one: dict[Any, Any], other: dict[Any, Any]) -> list[dict[str, Any]]:
    """Every metric of both, with intervals, the estimands first."""
    found = []
    for metric in sorted(run.metrics, key=lambda metric: metric["name"] not in COMPARED):
        levels = [interval(row, metric["name"]) for row in (one, other)]
        found.append(
            {
                "label": metric["label"],
                "meaning": metric["meaning"],
                "cells": [{"text": number(level.mean), "bounds": bounds(level)} for level in levels],
                "difference": signed(levels[1].mean - levels[0].mean),
            }
        )
    return found


def _by_class(run: Run, first: str, second: str) -> list[dict[str, Any]]:
    """The recall of every class, and its change; none without predictions of both."""
    before, after = recall_of(run, first), recall_of(run, second)
    if before is None or after is None:
        return []
    return [
        {
            "name": name,
            "rare": label in run.minority,
            "cells": [number(float(before[label])), number(float(after[label]))],
            "change": signed(float(after[label] - before[label])),
        }
        for label, name in enumerate(run.class_names)
    ]


def _confusion(run: Run, first: str, second: str) -> dict[str, Any] | None:
    """What true classes are taken for by the second arm more often than by the first, in shares of a class."""
    before, after = confusion_of(run, first), confusion_of(run, second)
    if before is None or after is None or len(before) > MOST_CLASSES:
        return None
    change = after - before
    most = max(float(np.nanmax(np.abs(change))), 1e-9)
    rows = [
        {
            "name": name,
            "cells": [
                # Of a class without test examples it is no number.
                {"text": signed(value, 2) if abs(value) >= 0.005 else "", "shade": _shade(value / most, row == column)}
                for column, value in enumerate(change[row].tolist())
            ],
        }
        for row, name in enumerate(run.class_names)
    ]
    return {"names": run.class_names, "rows": rows}


def _shade(share: float, diagonal: bool) -> str:
    """A class of the style sheet: more of what is right, or less of what is wrong, is good."""
    if np.isnan(share) or abs(share) < 0.05:
        return ""
    good = (share > 0) == diagonal
    return f"{'good' if good else 'bad'}-{1 + min(3, int(abs(share) * 4))}"
