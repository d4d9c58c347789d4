"""Which rare test examples an arm decides right where the floor does not, and the other way round."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from .heatmaps import finished
from .leaderboard import contenders
from .previews import CLASSES_SHOWN, Shown
from .records import Run

Flags = NDArray[np.bool_]


class Changes(NamedTuple):
    """Of the test examples (N,): those that only the arm decides right, those that only the floor does, and those that
    neither does; in most of its seeds each."""

    fixed: Flags
    broken: Flags
    still_wrong: Flags


def mostly_right(run: Run, arm: str | None) -> Flags | None:
    """(N,): which test examples are decided right in more than half of the seeds; None without predictions."""
    each = [right for record in run.ok(arm) for right in run.right(record)]
    return np.mean(each, axis=0) > 0.5 if each else None


def changes(run: Run, arm: str) -> Changes | None:
    """Beside the floor; None where there is none, or no predictions."""
    before, after = mostly_right(run, run.floor), mostly_right(run, arm)
    if before is None or after is None:
        return None
    return Changes(after & ~before, before & ~after, ~before & ~after)


def change_rows(run: Run, board: pd.DataFrame) -> list[dict[str, Any]]:
    """How many rare test examples every arm fixes, breaks and leaves wrong, and what that comes to."""
    rare = np.isin(run.test_labels, run.minority)
    rows = []
    for arm in finished(run, board):
        if arm == run.floor or (found := changes(run, arm)) is None:
            continue
        fixed, broken, wrong = (int((flags & rare).sum()) for flags in found)
        rows.append({"arm": arm, "fixed": fixed, "broken": broken, "net": fixed - broken, "still_wrong": wrong})
    return rows


def leading_generator(run: Run, board: pd.DataFrame) -> str | None:
    """The generator that knows most."""
    return next((arm for arm in contenders(run, board) if not run.is_control(arm)), None)


def mistakes_shown(run: Run, arm: str | None) -> list[Shown]:
    """By rare class, test examples that an arm fixes, breaks and leaves wrong; none where the folder shows none."""
    found = changes(run, arm) if arm else None
    if found is None:
        return []
    shown = []
    for label, (spots, x) in list(run.shown_tests().items())[:CLASSES_SHOWN]:
        own = run.test_labels == label
        parts = {name.replace("_", " "): flags for name, flags in found._asdict().items()}
        note = ", ".join(f"{int((flags & own).sum())} {name}" for name, flags in parts.items()) + f" of {own.sum()}"
        pictured = tuple((name, x[flags[spots]]) for name, flags in parts.items() if flags[spots].any())
        if pictured:
            shown.append(Shown(run.class_names[label], note, label, pictured))
    return shown
