"""leaderboard.md: the leaderboard and the answer, for a README or a pull request."""

from __future__ import annotations

import html
import re
from typing import Any

import pandas as pd

from .audits import told
from .leaderboard import best, interval, ranks_of, seconds_of
from .numbers import NOTHING, duration, number, with_bounds
from .records import Run
from .sensitivity import Sensitivity
from .verdicts import BASES, COMPARED
from .words import answer, beyond_controls, cells_done, looked_before, missing, notices, rare, standing, warnings


def escaped(text: Any) -> str:
    """Text from a user as one line of plain Markdown that can stand in a table cell."""
    line = html.escape(" ".join(str(text).split()), quote=False)
    line = re.sub(r"([\\`*|\[\]~$])", r"\\\1", line)
    return re.sub(r"(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])", r"\\_", line)


def markdown(run: Run, board: pd.DataFrame, sensitivity: Sensitivity | None) -> str:
    """The whole of leaderboard.md."""
    parts = [
        f"# {escaped(run.dataset['name'])}: filling {escaped(rare(run))}",
        escaped(answer(run, board)),
        escaped(beyond_controls(run, board)),
        escaped(standing(run, board)),
        escaped(looked_before(run)),
        escaped(missing(run, board)),
        escaped(warnings(run, board)),
        *map(escaped, notices(run)),
        _table(run, board),
        f"{cells_done(run)}, seeds {', '.join(map(str, run.seeds))}. "
        "Mean over the seeds, with the 95 % interval over other seeds and test examples in brackets. "
        "Sorted by average precision of the rare classes; arms with external data come after the others. Verdicts "
        "come from differences in average precision and balanced accuracy, paired by seed, with Holm's correction; "
        "ranks are those that the data allow. "
        + run.said("*Gap recovered* is the share of the way from `{floor}` to `{ceiling}`."),
        _sensitivity(sensitivity),
        _troubles(board),
        _command(run),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _table(run: Run, board: pd.DataFrame) -> str:
    first = [metric for name in COMPARED for metric in run.metrics if metric["name"] == name]
    rest = [metric for metric in run.metrics if metric not in first]
    told = [run.said("Against {floor}"), "Against the controls", "Ranks"]
    head = ["Arm", *(escaped(metric["label"]) for metric in first), *told]
    head += [*(escaped(metric["label"]) for metric in rest), "Gap recovered", "Seeds", "Time per seed"]
    lines = [head, ["---", *["---:"] * (len(head) - 1)]]
    winner = best(run, board)
    for row in board.to_dict("records"):
        time = seconds_of(row)
        verdicts = [row[f"verdict_vs_{base}"] or NOTHING for base in BASES]
        counts = [number(row["gap_recovered_mean"], 2), f"{row['seeds']}/{len(run.seeds)}", duration(time)]
        leading = [with_bounds(interval(row, metric["name"])) for metric in first]
        others = [number(row[f"{metric['name']}_mean"]) for metric in rest]
        lines.append([_name(run, row, winner), *leading, *verdicts, ranks_of(row), *others, *counts])
    return table(lines)


def table(lines: list[list[str]]) -> str:
    """Rows of cells as a Markdown table; the second row says how columns are aligned."""
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _name(run: Run, row: dict[Any, Any], winner: str | None) -> str:
    name = escaped(row["arm"])
    notes = ["**best**"] if row["arm"] == winner else []
    if run.is_reference(row["arm"]):
        notes.append("reference")
    if row["control"]:
        notes.append("control")
    notes += told(run, row["arm"])
    if row["status"] != "ok":
        notes.append(row["status"])
    return f"{name} ({', '.join(notes)})" if notes else name


def _sensitivity(found: Sensitivity | None) -> str:
    if not found:
        return ""
    head = ["Arm", "Against", "As run", *found.heads]
    lines = [head, ["---"] * len(head)]
    for row in found.rows:
        told = [f"**{one.words}**" if one.changed else one.words for one in row.told.values()]
        lines.append([escaped(row.arm), row.base, row.verdict, *told])
    note = "Bold where it differs from the run. Every column is judged among these arms alone."
    return f"## Sensitivity\n\n{escaped(found.sentence)}\n\n{table(lines)}\n\n{note}"


def _troubles(board: pd.DataFrame) -> str:
    troubled = board[board["status"] != "ok"].to_dict("records")
    if not troubled:
        return ""
    lines = [f"- **{escaped(row['arm'])}** {row['status']}: {escaped(row['reason'])}" for row in troubled]
    return "## Not finished\n\n" + "\n".join(lines)


def _command(run: Run) -> str:
    command = run.run["command"]
    longest = max((len(ticks) for ticks in re.findall("`+", command)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"## Repeat it\n\n{fence}sh\n{command}\n{fence}"
