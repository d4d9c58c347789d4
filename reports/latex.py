r"""leaderboard.tex: the leaderboard as a booktabs table for a paper, to be read by \input."""

from __future__ import annotations

from typing import Any

import pandas as pd

from .leaderboard import interval
from .numbers import MINUS, NOTHING, with_bounds
from .records import Run
from .verdicts import BASES, COMPARED

ABOUT = r"""% Needs \usepackage{booktabs}. Means over the seeds, 95 % intervals over other seeds and test examples.
% Repeat it: """


def latex(run: Run, board: pd.DataFrame) -> str:
    """The whole of leaderboard.tex: every arm that finished, with both estimands, both verdicts and its flags."""
    labels = {metric["name"]: metric["label"] for metric in run.metrics}
    heads = ["Arm", *(labels[name] for name in COMPARED), run.said("Against {floor}"), "Against the controls", "Flags"]
    rows = [_row(row) for row in board.to_dict("records") if row["status"] == "ok"]
    table = pd.DataFrame(rows, columns=heads).style.hide(axis="index").format(escape="latex")
    table = table.format_index(escape="latex", axis=1)
    command = " ".join(run.run["command"].split())
    return f"{ABOUT}{command}\n{table.to_latex(hrules=True, column_format='lrrlll')}"


def _row(row: dict[Any, Any]) -> list[str]:
    levels = [with_bounds(interval(row, name)) for name in COMPARED]
    verdicts = [row[f"verdict_vs_{base}"] or NOTHING for base in BASES]
    # LaTeX takes these by its own names whatever the encoding of the paper.
    return [text.replace(MINUS, "-").replace(NOTHING, "--") for text in [row["arm"], *levels, *verdicts, row["flags"]]]
