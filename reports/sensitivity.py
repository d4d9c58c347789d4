"""Whether the verdicts hang on how the classifier is trained: the leading arms and the controls once more, at half and
twice its learning rate and steps.

The verdicts of the run are made again among those arms alone, so that all are corrected over equally many comparisons.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import pandas as pd

from .leaderboard import contenders
from .numbers import listed
from .records import Run
from .verdicts import BASES, Verdicts, verdicts

FOLDER = "sensitivity"  # of the run's folder; a run folder for each variant is in it
LEADING = 3
MOST_TOLD = 3  # changes that a sentence can hold; of more it names the arms


class Variant(NamedTuple):
    """A setting of the classifier, what it is multiplied by, and what that is called."""

    setting: str
    factor: float
    words: str


VARIANTS = {
    "lr-half": Variant("lr", 0.5, "half the learning rate"),
    "lr-double": Variant("lr", 2, "twice the learning rate"),
    "steps-half": Variant("steps", 0.5, "half the steps"),
    "steps-double": Variant("steps", 2, "twice the steps"),
}


class Told(NamedTuple):
    """What a variant says of an arm: a verdict, or why there is none; `changed` is None then."""

    words: str
    changed: bool | None


class Row(NamedTuple):
    """The verdict on an arm against `none` or the controls, in the run and, by variant, in those that are done."""

    arm: str
    base: str
    verdict: str
    told: Mapping[str, Told]


class Sensitivity(NamedTuple):
    """The table, the heads of its variants, and the sentence to quote."""

    rows: list[Row]
    heads: list[str]
    sentence: str


def trained_again(run: Run, board: pd.DataFrame) -> list[str]:
    """The arms of a variant: references, controls and the leading arms on trial; none where there is no such arm."""
    leading = [name for name in contenders(run, board) if not run.is_control(name)][:LEADING]
    return [name for name in run.arm_names if name in leading or run.arm(name)["role"] != "filled"] if leading else []


def sensitivity(run: Run, board: pd.DataFrame) -> Sensitivity | None:
    """What the variants say that are done for every seed of the run; None where there are none."""
    names = trained_again(run, board)
    done = {variant: again for variant in VARIANTS if (again := _done(run, names, variant))}
    if not done:
        return None
    as_run = verdicts(run.only(names))
    judged = {variant: verdicts(again) for variant, again in done.items()}
    rows = [
        Row(arm, base, found.word, {variant: _told(one, arm, base, found.word) for variant, one in judged.items()})
        for arm in board["arm"]
        for base in BASES
        if arm in names and not run.is_reference(arm) and (found := as_run.against[base].get(arm))
    ]
    return Sensitivity(rows, [VARIANTS[variant].words for variant in done], _sentence(rows, list(done)))


def _done(run: Run, names: list[str], variant: str) -> Run | None:
    """A variant with the arms and seeds that the run has by now, if every cell of it is done."""
    folder = run.path / FOLDER / variant
    if not (folder / "run.json").is_file():
        return None
    again = Run.read(folder)
    whole = len(again.records) == len(names) * len(run.seeds)
    return again if whole and again.arm_names == names and again.seeds == run.seeds else None


def _told(judged: Verdicts, arm: str, base: str, before: str) -> Told:
    found = judged.against[base].get(arm)
    return Told(found.word, found.word != before) if found else Told(judged.missing.get(arm, "no verdict"), None)


def _sentence(rows: list[Row], done: list[str]) -> str:
    arms = list(dict.fromkeys(row.arm for row in rows))
    told = [(row, variant, one) for row in rows for variant, one in row.told.items()]
    changes = [
        f"of {row.arm} against {row.base} from {row.verdict} to {one.words} ({VARIANTS[variant].words})"
        for row, variant, one in told
        if one.changed
    ]
    known = sum(one.changed is not None for *_, one in told)
    which = f"{len(changes)} of {known} verdicts: {'; '.join(changes)}"
    if not changes:
        which = f"no verdict of {listed(arms, 20)}"
    elif len(changes) > MOST_TOLD:
        changed = dict.fromkeys(row.arm for row, _, one in told if one.changed)
        which = f"{len(changes)} of {known} verdicts, of {listed(list(changed), 20)}"
    start = "Halving or doubling the learning rate or the steps"
    if lacking := [one.words for variant, one in VARIANTS.items() if variant not in done]:
        start = f"Training with {listed([VARIANTS[variant].words for variant in done])}"
    parts = [f"{start} changes {which}."]
    if known < len(told):
        parts.append(f"{len(told) - known} verdicts are not there to compare: not every seed went well.")
    if lacking:
        parts.append(f"Not done yet: {listed(lacking)}.")
    return " ".join(parts)
