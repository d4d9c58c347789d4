"""Which arms help: every arm against the floor and against the best control, and ranks that chance does not decide."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

from .comparisons import NO_DIFFERENCE, Comparison, compare, differences, ranks, variance_shares
from .records import HEADLINE, Run, as_float


@dataclass(frozen=True)
class Verdicts:
    """Comparisons by arm, with the floor and with the best control. `ranks` has the arms that compete.

    Those with external data are ranked among themselves.
    """

    vs_none: dict[str, Comparison] = field(default_factory=dict)
    vs_control: dict[str, Comparison] = field(default_factory=dict)
    ranks: dict[str, int] = field(default_factory=dict)


def verdicts(run: Run) -> Verdicts:
    """Compares all arms of a run that have predictions; nothing where the records have none."""
    outcomes = {name: found for name in run.arm_names if (found := run.recognised(name))}
    labels = run.minority_labels
    if not outcomes or not len(labels):
        return Verdicts()

    def against(base: str | None, arms: list[str], selected_from: int = 1) -> dict[str, Comparison]:
        pairs = [(arm, base) for arm in arms if base in outcomes and arm != base]
        found = compare(outcomes, pairs, labels, selected_from)
        return {arm: one for (arm, _), one in zip(pairs, found, strict=True)}

    competing = [name for name in outcomes if not run.is_reference(name)]
    control = best_control(run)
    controls = sum(run.is_control(name) for name in competing)
    placed: dict[str, int] = {}
    for external in (False, True):
        group = [name for name in competing if run.arm(name)["external_data"] == external]
        pairs = list(combinations(group, 2))
        tests = differences(outcomes, pairs, labels)
        above = {
            pair if test.mean > 0 else pair[::-1]
            for pair, test in zip(pairs, tests, strict=True)
            if test.verdict != NO_DIFFERENCE
        }
        placed |= ranks(group, lambda a, b, above=above: (a, b) in above)  # type: ignore[misc]
    return Verdicts(against(run.floor, list(outcomes)), against(control, competing, max(1, controls)), placed)


def best_control(run: Run) -> str | None:
    """The control with the highest mean, of those with the most seeds."""
    found = {arm["name"]: run.metric(arm["name"], HEADLINE) for arm in run.arms if arm["role"] == "control"}
    most = max(map(len, found.values()), default=0)
    whole = {name: sum(values.values()) / most for name, values in found.items() if most and len(values) == most}
    return max(whole, key=lambda name: whole[name], default=None)


def seed_shares(run: Run, arm: str) -> tuple[float, float]:
    """Shares of the variance of an arm's minority recall: by its seed (kept examples and generator), by classifiers."""
    values = {
        record["seed"]: [as_float(one["metrics"][HEADLINE]) for one in record["classifiers"]] for record in run.ok(arm)
    }
    return variance_shares(values) if values else (math.nan, math.nan)


def columns(name: str, found: Comparison | None) -> dict[str, Any]:
    """A comparison as columns of the leaderboard, named after the base."""
    one = found or Comparison()
    return {
        f"verdict_vs_{name}": found.verdict if found else "",
        f"vs_{name}_mean": one.mean,
        f"vs_{name}_ci_low": one.low,
        f"vs_{name}_ci_high": one.high,
        f"vs_{name}_p_holm": one.p_holm,
        f"vs_{name}_better": one.better,
        f"vs_{name}_detectable": one.detectable,
    }
