"""What is said of every arm against doing nothing and against what costs nothing, and which ranks the data allow it.

Every arm is compared in *knowing*, the average precision of the rare classes, which no decision threshold moves, and in
*deciding*, the balanced accuracy of its own decisions, with one correction (Holm 1979) over both and over all arms.
Recall of the rare classes is looked at to tell what a threshold does too. An arm is better than the controls where it
beats every one of them (an intersection-union test, Berger 1982, which needs no correction), and worse where it falls
below any (which is corrected over the controls): none of them is chosen by how it did.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np

from .comparisons import ALPHA, FEWEST_SEEDS, Evidence, change, differences, gather, holm
from .records import Run
from .statistics import variance_shares

KNOWING, DECIDING, RECALL = "rare_ap", "balanced_accuracy", "minority_recall"  # of the table of metrics
BRIER = "brier"
THRESHOLD_ONLY = ("tuned-threshold", "logit-adjustment")  # strategies that train as `none` does
COMPARED = (KNOWING, DECIDING)
ESTIMANDS = {KNOWING: "knowing", DECIDING: "deciding", RECALL: "recall"}  # as columns and sentences call them
BASES = ("none", "controls")
COLUMNS = {"mean": "mean", "ci_low": "low", "ci_high": "high", "p": "p", "detectable": "detectable", "median": "median"}
HELPS, SHIFTS, HURTS, MIXED = "helps", "shifts", "hurts", "mixed"
NO_DIFFERENCE, CANNOT_TELL, TOO_FEW = "no difference shown", "cannot tell", "too few seeds"


class Comparison(NamedTuple):
    """An arm minus its base in one metric, over the seeds of the run.

    `low`, `high`: the 95 % interval, before any correction. `p`: after it. `detectable`: the true difference that is
    shown with 80 % probability. `median`: of the seeds' differences. `outlying`: seeds that lie far off.
    `enough`: how many seeds would make `detectable` as small as the headroom; None where none would.
    """

    mean: float
    low: float
    high: float
    p: float
    detectable: float
    median: float
    outlying: list[int]
    enough: int | None

    @property
    def change(self) -> int:
        """1 where a rise is shown, -1 where a fall is, else 0."""
        return change(self.mean, self.p)


@dataclass(frozen=True)
class Verdict:
    """A word, and what it stands on: the comparisons in knowing, deciding and recall, by the metric."""

    word: str
    found: Mapping[str, Comparison] = field(default_factory=dict)


@dataclass(frozen=True)
class Verdicts:
    """`against`: by base and arm. `ranks`: the best and the worst that an arm may have; those with external data are
    ranked among themselves. `headroom`: by metric, from `none` to the best. `missing`: why an arm has no verdict.
    `threshold`: the control that does as well as a filled arm by a threshold alone, see `thresholds_instead`."""

    against: Mapping[str, Mapping[str, Verdict]]
    ranks: Mapping[str, tuple[int, int]]
    headroom: Mapping[str, float]
    missing: Mapping[str, str]
    threshold: Mapping[str, str] = field(default_factory=dict)


def verdicts(run: Run) -> Verdicts:
    """Compares the arms of a run of which every seed went well."""
    missing = {name: reason for name in run.arm_names if (reason := run.missing(name))}
    names = [name for name in run.arm_names if name not in missing]
    few = len(run.seeds) < FEWEST_SEEDS
    if not names or few:
        judged = {name: Verdict(TOO_FEW) for name in names} if few else {}
        return Verdicts(dict.fromkeys(BASES, judged), {}, {}, missing)
    known = {metric: evidence(run, names, metric) for metric in ESTIMANDS}
    headroom = {metric: _headroom(known[metric], run.floor) for metric in known}
    against: dict[str, dict[str, Verdict]] = {base: {} for base in BASES}
    arms = [name for name in names if name != run.floor]
    if arms and run.floor in names:
        against["none"] = judge(known, {arm: [run.floor] for arm in arms}, headroom, run.seeds)
    rivals = {name: others for name in names if (others := run.controls_of(name)) and not missing.keys() & set(others)}
    if rivals:
        against["controls"] = judge(known, rivals, headroom, run.seeds)
    ranks: dict[str, tuple[int, int]] = {}
    for external in (False, True):
        group = [one for one in names if not run.is_reference(one) and run.arm(one)["external_data"] == external]
        ranks |= rank_sets(known, group)
    instead = thresholds_instead(run, known[DECIDING], evidence(run, names, BRIER))
    return Verdicts(against, ranks, headroom, missing, instead)


def evidence(run: Run, names: Iterable[str], metric: str) -> Evidence:
    """What a run knows of arms of which every seed went well, in a metric."""
    found = {name: [run.estimates(record)[metric] for record in run.ok(name)] for name in names}
    return gather(found, run.test_labels)


def _headroom(evidence: Evidence, floor: str | None) -> float:
    """From `none` to the best of all arms, NaN without `none`."""
    if floor not in evidence.names:
        return math.nan
    levels = evidence.values.mean(axis=1)
    return float(levels.max() - levels[evidence.names.index(floor)])


def judge(
    known: Mapping[str, Evidence],
    bases: Mapping[str, Sequence[str]],
    headroom: Mapping[str, float],
    seeds: Sequence[int],
) -> dict[str, Verdict]:
    """The verdict on each arm against all of its bases."""
    found: dict[str, dict[str, Comparison]] = {arm: {} for arm in bases}
    for metrics in (COMPARED, (RECALL,)):
        tests = len(metrics) * len(bases)
        raw = [
            (arm, metric, comparison)
            for metric in metrics
            for arm, comparison in _compared(known[metric], bases, headroom[metric], tests, seeds).items()
        ]
        for (arm, metric, comparison), p in zip(raw, holm(comparison.p for *_, comparison in raw), strict=True):
            found[arm][metric] = comparison._replace(p=p)
    return {arm: Verdict(_word(found[arm], headroom), found[arm]) for arm in bases}


def _compared(
    evidence: Evidence, bases: Mapping[str, Sequence[str]], headroom: float, tests: int, seeds: Sequence[int]
) -> dict[str, Comparison]:
    """Each arm minus the best of its bases, whichever that is; `p` before the correction over `tests`."""
    pairs = [(arm, base) for arm, others in bases.items() for base in others]
    over, every = differences(evidence, pairs), max(map(len, bases.values()))
    half, wide, p = over.half(ALPHA), over.half(ALPHA / every), over.p
    detectable, enough = over.detectable(ALPHA / tests), over.enough_seeds(ALPHA / tests, headroom)
    found, start = {}, 0
    for arm, others in bases.items():
        own = slice(start, start := start + len(others))
        mean = over.mean[own]
        lowest = own.start + int(mean.argmin())
        hardest = own.start + int((mean / half[own]).argmin())
        fall = float(np.minimum(1.0, every * p[own][mean <= 0].min(initial=1.0)))
        found[arm] = Comparison(
            float(over.mean[lowest]),
            float((mean - half[own]).min()),
            float((mean + wide[own]).min()),
            float(p[own].max()) if over.mean[lowest] > 0 else fall,
            float(detectable[hardest]),
            float(over.median[lowest]),
            [seed for seed, far in zip(seeds, over.outlying[lowest], strict=True) if far],
            enough[hardest],
        )
    return found


def shown(changes: Set[int]) -> str:
    """The verdict on changes in knowing and in deciding; '' where none is shown."""
    if changes >= {1, -1}:
        return MIXED
    return HELPS if 1 in changes else HURTS if -1 in changes else ""


def _word(found: Mapping[str, Comparison], headroom: Mapping[str, float]) -> str:
    if word := shown({found[one].change for one in COMPARED}):
        return word
    if found[RECALL].change == 1:
        return SHIFTS
    could_tell = any(found[one].detectable <= headroom[one] for one in COMPARED)  # of NaN nothing can be told
    return NO_DIFFERENCE if could_tell else CANNOT_TELL


def rank_sets(known: Mapping[str, Evidence], group: Sequence[str]) -> dict[str, tuple[int, int]]:
    """The ranks that the data allow each arm of a group (Mogstad et al. 2024, "Inference for Ranks"): after those that
    are shown to be above it, before those that are shown to be below. Above: in knowing or deciding, and in neither
    below; Holm's correction is over all pairs and both."""
    pairs = list(combinations(group, 2))
    over = {one: differences(known[one], pairs) for one in COMPARED}
    adjusted = iter(holm(p for one in over.values() for p in one.p))
    above = dict.fromkeys(group, 0)
    below = dict(above)
    changes = [[change(mean, next(adjusted)) for mean in one.mean] for one in over.values()]
    for (a, b), both in zip(pairs, zip(*changes, strict=True), strict=True):
        told = set(both) - {0}
        if len(told) != 1:
            continue
        better, worse = (a, b) if told == {1} else (b, a)
        above[worse] += 1
        below[better] += 1
    return {arm: (1 + above[arm], len(group) - below[arm]) for arm in group}


def thresholds_instead(run: Run, deciding: Evidence, brier: Evidence) -> dict[str, str]:
    """By filled arm: the best control that only moves a threshold, with a Brier score no worse than `none`'s.

    Where it is shown to decide better, or decides no worse on average and the arm's Brier score is shown to be worse
    than `none`'s. Holm's correction is over the filled arms.
    """
    if run.floor not in brier.names:
        return {}
    decided, scored = (dict(zip(one.names, one.values.mean(axis=1), strict=True)) for one in (deciding, brier))
    free = [
        name
        for name in brier.names
        if run.is_control(name) and run.arm(name)["strategy"] in THRESHOLD_ONLY and scored[name] <= scored[run.floor]
    ]
    arms = [name for name in brier.names if run.arm(name)["role"] == "filled"]
    if not free or not arms:
        return {}
    best = max(free, key=decided.__getitem__)
    better, worse = (
        {arm for arm, mean, p in zip(arms, over.mean, holm(over.p), strict=True) if change(mean, p) == 1}
        for over in (
            differences(deciding, [(best, arm) for arm in arms]),
            differences(brier, [(arm, run.floor) for arm in arms]),
        )
    )
    return {arm: best for arm in arms if arm in better or (arm in worse and decided[best] >= decided[arm])}


def seed_shares(run: Run, arm: str) -> tuple[float, float]:
    """Shares of the variance of an arm's knowing: by its seed (kept examples and generator), by classifiers."""
    values = {record["seed"]: run.by_classifier(record, KNOWING) for record in run.ok(arm)}
    return variance_shares(values) if values else (math.nan, math.nan)


def columns(base: str, found: Verdict | None) -> dict[str, Any]:
    """A verdict as columns of the leaderboard, named after the base."""
    row: dict[str, Any] = {f"verdict_vs_{base}": found.word if found else ""}
    for metric, name in ESTIMANDS.items():
        one = found.found.get(metric) if found else None
        start = f"vs_{base}_{name}"
        row |= {f"{start}_{part}": getattr(one, of, math.nan) for part, of in COLUMNS.items()}
        row[f"{start}_outlying_seeds"] = " ".join(map(str, one.outlying)) if one else ""
        row[f"{start}_enough_seeds"] = one.enough if one and one.enough else math.nan
    return row
