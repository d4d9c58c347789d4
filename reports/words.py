"""The answer in words, and how numbers are written."""

from __future__ import annotations

import math

import pandas as pd

from .leaderboard import HEADLINE, contenders, difference, interval, marks, rival
from .records import Run
from .statistics import Interval

NOTHING = "\N{EN DASH}"
MINUS = "\N{MINUS SIGN}"


def number(value: float, digits: int = 3) -> str:
    """0.5 as 0.500; NaN as a dash."""
    if math.isnan(value):
        return NOTHING
    return f"{round(value, digits) + 0.0:.{digits}f}".replace("-", MINUS)


def signed(value: float, digits: int = 3) -> str:
    """0.5 as +0.500."""
    return ("+" if round(value, digits) > 0 else "") + number(value, digits)


def bounds(found: Interval, sign: bool = False) -> str:
    """[low, high], or nothing where there is no interval."""
    write = signed if sign else number
    return f"[{write(found.low)}, {write(found.high)}]" if found.known else ""


def with_bounds(found: Interval, sign: bool = False) -> str:
    """The mean and, where known, its interval."""
    return f"{(signed if sign else number)(found.mean)} {bounds(found, sign)}".strip()


def duration(seconds: float) -> str:
    """Seconds as people say them: 0.42 s, 12 s, 3 min 5 s, 2 h 10 min."""
    if math.isnan(seconds):
        return NOTHING
    if seconds < 10:
        return f"{seconds:.2f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def listed(names: list[str], most: int = 6) -> str:
    """a, b and c; long lists end in how many more there are."""
    if len(names) > most:
        return ", ".join(names[:most]) + f" and {len(names) - most} more"
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


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
    if not run.metric("none", HEADLINE):
        found = with_bounds(interval(run, lead))
        return (
            f"{lead} reached the highest recall of {rare(run)}, {found}; "
            "without the reference none nothing can be said about whether it helped."
        )
    gain = difference(run, lead, "none")
    if not gain.n:
        return f"{lead} and none share no finished seed yet, so there is nothing to compare."
    return f"{_what_happened(run, lead, gain)}; {_how_surely(gain)}{_cost(run, lead)}."


def _what_happened(run: Run, lead: str, gain: Interval) -> str:
    change = with_bounds(gain, sign=True)
    if gain.mean <= 0:
        return f"No generator raised the recall of {rare(run)}: the highest, {lead}, changed it by {change}"
    shared = run.metric(lead, HEADLINE).keys() & run.metric("none", HEADLINE).keys()
    before, after = (sum(run.metric(arm, HEADLINE)[seed] for seed in shared) / len(shared) for arm in ("none", lead))
    return f"{lead} raised the recall of {rare(run)} most, from {number(before)} (none) to {number(after)}: {change}"


def _how_surely(gain: Interval) -> str:
    if gain.n == 1:
        return "with one seed there is no interval, so this may be chance"
    if gain.above_zero:
        return f"over {gain.n} seeds that is distinguishable from no effect"
    if gain.below_zero:
        return f"over {gain.n} seeds that is distinguishably worse than doing nothing"
    return f"over {gain.n} seeds that cannot be told from no effect"


def _cost(run: Run, lead: str) -> str:
    cost = difference(run, lead, "none", "majority_recall")
    if not cost.n:
        return ""
    if round(cost.mean, 3) == 0:
        return ", and the recall of the other classes stayed the same"
    return f", and the recall of the other classes changed by {with_bounds(cost, sign=True)}"


def standing(run: Run, board: pd.DataFrame) -> str:
    """Whether one arm can be called best, and if not, what stands in the way."""
    names = contenders(run, board)
    marked = marks(run, board)
    if marked:
        best, second = names[0], names[1]
        lead = with_bounds(difference(run, best, second), sign=True)
        tail = f" {second} is second." if marked.get(second) else ""
        return f"{best} is best: it leads {second} by {lead} and stands above every other generator.{tail}"
    if len(names) < 2:
        return ""
    lead = names[0]
    other = rival(run, board, lead)
    if other is None:
        return "No arm can be called best yet: not every seed is done."
    gap = difference(run, lead, other)
    if not gap.n:
        return f"No arm can be called best: {lead} and {other} share no finished seed."
    if gap.mean < 0:
        how = with_bounds(gap, sign=True)
        return f"No arm can be called best: {lead}, the highest, is {how} against {other}."
    how = with_bounds(gap) if gap.known else f"{number(gap.mean)} on a single seed"
    return f"No arm can be called best: {lead} leads {other} by {how}."
