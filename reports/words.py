"""The answer in words."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from .audits import told, troubling
from .comparisons import NO_DIFFERENCE
from .leaderboard import against, contenders, difference, first, interval, marks
from .numbers import listed, number, p_value, with_bounds
from .records import HEADLINE, OTHERS, Run
from .statistics import Interval
from .verdicts import best_control

VERDICTS = {
    "helps": "that is shown to help ({p} after Holm's correction)",
    "hurts": "that is shown to hurt ({p} after Holm's correction)",
    NO_DIFFERENCE: "no difference is shown ({p} after Holm's correction)",
    "": "nothing was compared",
}


def rare(run: Run) -> str:
    """The rare class 8, the 3 rare classes a, b and c, or the 30 rare classes."""
    names = [run.class_names[label] for label in run.minority]
    if len(names) == 1:
        return f"the rare class {names[0]}"
    return f"the {len(names)} rare classes" + (f" {listed(names)}" if len(names) <= 4 else "")


def cells_done(run: Run) -> str:
    """Say, 12 of 42 cells."""
    return f"{len(run.records)} of {len(run.arms) * len(run.seeds)} cells"


def answer(run: Run, board: pd.DataFrame) -> str:
    """One sentence: what helped the rare classes, by how much, how surely, and what it cost."""
    names = contenders(run, board)
    if not names:
        return f"No generator finished, so this run says nothing about {rare(run)}."
    lead = names[0]
    if not run.metric(run.floor, HEADLINE):
        found = with_bounds(interval(run, lead))
        return (
            f"{lead} reached the highest recall of {rare(run)}, {found}; "
            "without the imbalanced data as it is, nothing can be said about whether it helped."
        )
    gain = against(_row(board, lead), "none")
    if math.isnan(gain.mean):
        return f"{lead} and {run.floor} share no finished seed with its predictions, so there is nothing to compare."
    return f"{_what_happened(run, lead, gain)}; {_how_surely(run, board, lead)}{_cost(run, lead)}."


def _row(board: pd.DataFrame, arm: str) -> dict[Any, Any]:
    return board.loc[board["arm"] == arm].iloc[0].to_dict()


def _what_happened(run: Run, lead: str, gain: Interval) -> str:
    change = with_bounds(gain, sign=True)
    what = _marked(run, lead) + (f", a control without any new {run.run['noun']}," if run.is_control(lead) else "")
    if gain.mean <= 0:
        return f"Nothing raised the recall of {rare(run)}: the highest, {what} changed it by {change}"
    shared = run.metric(lead, HEADLINE).keys() & run.metric(run.floor, HEADLINE).keys()
    before, after = (sum(run.metric(arm, HEADLINE)[seed] for seed in shared) / len(shared) for arm in (run.floor, lead))
    levels = f"from {number(before)} ({run.floor}) to {number(after)}"
    return f"{what} raised the recall of {rare(run)} most, {levels}: {change}"


def _marked(run: Run, arm: str) -> str:
    """The arm, with what the audits say against it: it never wins silently."""
    found = told(run, arm) if troubling(run, arm) else []
    return f"{arm} (flagged: {', '.join(found)})" if found else arm


def _how_surely(run: Run, board: pd.DataFrame, lead: str) -> str:
    row = _row(board, lead)
    if row["seeds"] == 1:
        return "with one seed there is no interval, so this may be chance"
    how = VERDICTS[row["verdict_vs_none"]].format(p=p_value(row["vs_none_p_holm"]))
    return f"over {row['seeds']} seeds {how}"


def _cost(run: Run, lead: str) -> str:
    cost = difference(run, lead, run.floor, OTHERS)
    if not cost.n:
        return ""
    if round(cost.mean, 3) == 0:
        return ", and the recall of the other classes stayed the same"
    return f", and the recall of the other classes changed by {with_bounds(cost, sign=True)}"


def beyond_controls(run: Run, board: pd.DataFrame) -> str:
    """Whether any generator does more than the best control, in a sentence."""
    control = best_control(run)
    rivals = board[(board["verdict_vs_control"] != "") & ~board["control"] & ~board["external_data"]]
    if control is None or rivals.empty:
        return ""
    better = rivals.loc[rivals["verdict_vs_control"] == "helps", "arm"].tolist()
    worse = rivals.loc[rivals["verdict_vs_control"] == "hurts", "arm"].tolist()
    base = f"the best control, {control} ({number(interval(run, control).mean)})"
    if better:
        return f"Better than {base}: {listed([_marked(run, name) for name in better])}."
    below = f" ({listed(worse)} did worse)" if worse else ""
    said = f"No generator is shown to do more than {base}{below}"
    reach = rivals["vs_control_detectable"].median()
    if math.isnan(reach):
        return f"{said}: with one seed nothing can be shown."
    if reach > 1:
        return f"{said}; {len(run.seeds)} seeds could hardly have shown any difference to it."
    return f"{said}; with {len(run.seeds)} seeds a difference of {number(reach, 2)} would most likely have been."


def standing(run: Run, board: pd.DataFrame) -> str:
    """Whether one arm can be called best, and if not, what stands in the way."""
    names = contenders(run, board)
    if len(names) < 2:
        return ""
    if (board["status"] == "incomplete").any():
        return "No arm can be called best yet: not every seed is done."
    marked = marks(run, board)
    if marked:
        best = next(iter(marked))
        tail = next((f" {name} is second." for name, title in marked.items() if title == "second"), "")
        return f"{_marked(run, best)} is best: it is shown to be above every other arm.{tail}"
    tied = first(run, board)
    if len(tied) > 1:
        return f"No arm can be called best: nothing tells {listed(tied)} apart."
    return f"No arm can be called best: {tied[0]} is not shown to help." if tied else ""


def notices(run: Run) -> list[str]:
    """What was found while the data was read, in sentences."""
    return [str(text) for text in run.dataset["reading"].get("warnings", [])]


def warnings(run: Run, board: pd.DataFrame) -> str:
    """The flags that the audits raised, and whose they are."""
    raised: dict[str, list[str]] = {}
    for name in board["arm"]:
        for flag in troubling(run, name):
            raised.setdefault(flag, []).append(name)
    texts = [f"{flag} ({listed(names, 20)})" for flag, names in sorted(raised.items())]
    return f"Flagged by the audits: {', '.join(texts)}." if texts else ""
