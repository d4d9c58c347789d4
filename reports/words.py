"""The answer in words."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from .audits import told, troubling
from .comparisons import FEWEST_SEEDS, change
from .leaderboard import against, best, contenders, maybe_first
from .numbers import listed, number, p_value, signed, with_bounds
from .records import Run
from .verdicts import (
    BRIER,
    CANNOT_TELL,
    COMPARED,
    DECIDING,
    ESTIMANDS,
    HELPS,
    HURTS,
    KNOWING,
    MIXED,
    NO_DIFFERENCE,
    RECALL,
    SHIFTS,
    TOO_FEW,
)

MOST_NAMED = 3  # arms of one verdict, in the sentences that a report opens with
CALLED = {KNOWING: "average precision", DECIDING: "balanced accuracy", RECALL: "recall"}


def rare(run: Run) -> str:
    """The rare class 8, the 3 rare classes a, b and c, or the 30 rare classes."""
    names = [run.class_names[label] for label in run.minority]
    if len(names) == 1:
        return f"the rare class {names[0]}"
    return f"the {len(names)} rare classes" + (f" {listed(names)}" if len(names) <= 4 else "")


def cells_done(run: Run) -> str:
    """Say, 12 of 42 cells."""
    return f"{len(run.records)} of {len(run.arms) * len(run.seeds)} cells"


def verdict(run: Run, row: Mapping[Any, Any], base: str) -> str:
    """The verdict on the arm of a row against `none` or the controls, in a sentence that can be quoted; '' if none."""
    word, arm = row[f"verdict_vs_{base}"], row["arm"]
    if not word:
        return ""
    if word == TOO_FEW:
        return f"{arm}: {word}, {len(run.seeds)} of at least {FEWEST_SEEDS}."
    shown = {metric: _shown(row, base, metric) for metric in (*COMPARED, RECALL)}
    gains = [f"{CALLED[metric]} {_change(row, base, metric)}" for metric in COMPARED if shown[metric] > 0]
    losses = [f"{CALLED[metric]} {_change(row, base, metric)}" for metric in COMPARED if shown[metric] < 0]
    beside = {"none": "doing nothing", "controls": "any control" if losses and not gains else "every control"}[base]
    start = f"{arm} {word} beside {beside}:"
    if word == HELPS:
        return f"{start} {' and '.join(gains)}{_outlying(row, base)}."
    if word == HURTS:
        return f"{start} {' and '.join(losses)}{_outlying(row, base)}."
    if word == MIXED:
        return f"{start} {' and '.join(gains)}, but {' and '.join(losses)}{_outlying(row, base)}."
    if word == SHIFTS:
        only = f"only the recall of {rare(run)} rises, {_change(row, base, RECALL)}"
        return f"{start} {only}, which moving the decision threshold does too{_outlying(row, base)}."
    far = _outlying(row, base)
    reach = [f"{CALLED[metric]} {_change(row, base, metric, p=False)}" for metric in COMPARED]
    if word == NO_DIFFERENCE:
        would = " or ".join(f"{number(row[_column(base, one, 'detectable')])} in {CALLED[one]}" for one in COMPARED)
        return f"{arm}, {word} beside {beside}: {' and '.join(reach)}; {would} would most likely have been shown{far}."
    return f"{arm}, {word} beside {beside}: {' and '.join(reach)}; {_blind(run, row, base)}{far}."


def by_threshold(run: Run, row: Mapping[Any, Any], control: Mapping[Any, Any]) -> str:
    """That the control of another row does as well as an arm, by a threshold alone."""
    decided, scored = ([number(one[f"{metric}_mean"]) for one in (control, row)] for metric in (DECIDING, BRIER))
    return (
        f"{control['arm']}, which only moves the decision threshold, decides as well or better: balanced accuracy "
        f"{decided[0]}, {row['arm']} {decided[1]}. Its Brier score, {scored[0]}, is no worse than that of "
        f"{run.floor}; that of {row['arm']} is {scored[1]}."
    )


def _column(base: str, metric: str, part: str) -> str:
    return f"vs_{base}_{ESTIMANDS[metric]}_{part}"


def _shown(row: Mapping[Any, Any], base: str, metric: str) -> int:
    """1 for a rise that is shown, -1 for a fall, else 0."""
    return change(row[_column(base, metric, "mean")], row[_column(base, metric, "p")])


def _change(row: Mapping[Any, Any], base: str, metric: str, p: bool = True) -> str:
    """+0.123 [+0.045, +0.201], p = 0.012"""
    text = with_bounds(against(row, base, metric), sign=True)
    return f"{text}, {p_value(row[_column(base, metric, 'p')])}" if p else text


def _outlying(row: Mapping[Any, Any], base: str) -> str:
    """Which seeds lie far off, and what the median says."""
    parts = []
    for metric in COMPARED:
        if seeds := row[_column(base, metric, "outlying_seeds")].split():
            median = signed(row[_column(base, metric, "median")])
            which = f"seed{'s' if len(seeds) > 1 else ''} {listed(seeds)}"
            parts.append(f"{which} far off in {CALLED[metric]}, where the median is {median}")
    return f" ({'; '.join(parts)})" if parts else ""


def _blind(run: Run, row: Mapping[Any, Any], base: str) -> str:
    """Why a run cannot tell, and what would."""
    parts = []
    for metric in COMPARED:
        least = row[_column(base, metric, "detectable")]
        room = f"where the whole room is {number(row[f'headroom_{ESTIMANDS[metric]}'])}"
        parts.append(f"{'over 1' if least > 1 else number(least)} in {CALLED[metric]}, {room}")
    needed = [row[_column(base, metric, "enough_seeds")] for metric in COMPARED]
    known = [seeds for seeds in needed if not math.isnan(seeds)]
    more = (
        f"about {min(known):.0f} seeds would tell" if known else f"it takes very many, or more test {run.run['plural']}"
    )
    return f"{len(run.seeds)} seeds would show a difference of {' and of '.join(parts)}; {more}"


def answer(run: Run, board: pd.DataFrame) -> str:
    """What filling did beside doing nothing, of all generators together."""
    rivals = _generators(run, board)
    if rivals.empty:
        return f"No generator finished, so this run says nothing about {rare(run)}."
    if len(run.seeds) < FEWEST_SEEDS:
        return f"{len(run.seeds)} of at least {FEWEST_SEEDS} seeds: what is below may be chance, and has no verdict."
    said = _by_verdict(run, rivals, "none")
    if not said:
        return f"Without {run.said('{floor}')}, nothing can be said about whether filling {rare(run)} helped."
    return f"Filling {rare(run)} beside doing nothing, {said}."


def beyond_controls(run: Run, board: pd.DataFrame) -> str:
    """Whether any generator does more than what costs nothing."""
    rivals = _generators(run, board)
    rivals = rivals[~rivals["verdict_vs_controls"].isin(("", TOO_FEW))]
    if rivals.empty or not run.controls:
        return ""
    if not (rivals["verdict_vs_controls"] == HELPS).any():
        none = f"No generator is shown to do more than what costs nothing ({listed(run.controls)})"
        others = _by_verdict(run, rivals, "controls")
        return f"{none}, {others}."
    return f"Beside every control ({listed(run.controls)}), {_by_verdict(run, rivals, 'controls')}."


def _generators(run: Run, board: pd.DataFrame) -> pd.DataFrame:
    """The rows of the arms on trial of which every seed went well."""
    return board[board["arm"].isin(contenders(run, board)) & ~board["control"]]


def _by_verdict(run: Run, rows: pd.DataFrame, base: str) -> str:
    """helps: a and b; no difference shown: 5 of 8 generators (2 of them flagged)"""
    parts = []
    for word in (HELPS, MIXED, SHIFTS, HURTS, NO_DIFFERENCE, CANNOT_TELL):
        names = [str(name) for name in rows.loc[rows[f"verdict_vs_{base}"] == word, "arm"]]
        if names:
            parts.append(f"{word}: {_named_or_counted(run, names, len(rows))}")
    return "; ".join(parts)


def _named_or_counted(run: Run, names: list[str], of: int) -> str:
    if len(names) <= MOST_NAMED:
        return listed([_marked(run, name) for name in names])
    flagged = sum(bool(troubling(run, name)) for name in names)
    return f"{len(names)} of {of} generators" + (f" ({flagged} of them flagged)" if flagged else "")


def _marked(run: Run, arm: str) -> str:
    """The arm, with what the audits say against it: it never wins silently."""
    found = told(run, arm) if troubling(run, arm) else []
    return f"{arm} (flagged: {', '.join(found)})" if found else arm


def standing(run: Run, board: pd.DataFrame) -> str:
    """Whether one arm can be called best, and if not, what stands in the way."""
    names = contenders(run, board)
    if len(names) < 2 or len(run.seeds) < FEWEST_SEEDS:
        return ""
    if (board["status"] == "incomplete").any():
        return "No arm can be called best yet: not every seed is done."
    if winner := best(run, board):
        return f"{_marked(run, winner)} is best: it is shown to be above every other arm."
    tied = maybe_first(run, board)
    if len(tied) > 1:
        return f"No arm can be called best: {len(tied)} of {len(names)} may have the first rank ({listed(tied)})."
    return f"No arm can be called best: {tied[0]} is not shown to help." if tied else ""


def looked_before(run: Run) -> str:
    """That seeds were added to a run that had been looked at; '' where none were."""
    planned = run.run.get("planned_seeds", [])
    if len(planned) < 2:
        return ""
    steps = ", then ".join(map(str, planned))
    return (
        f"Seeds were added after looking: {steps} were planned. Looking again until something is shown finds "
        "differences that are none more often than the stated 5 %."
    )


def missing(run: Run, board: pd.DataFrame) -> str:
    """Which arms have no verdict and no rank because a seed of theirs failed or is not done."""
    names = board.loc[board["status"].isin(("failed", "incomplete")), "arm"].tolist()
    return f"No verdict and no rank, since a seed failed or is not done: {listed(names, 20)}." if names else ""


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
