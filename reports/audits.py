"""What the audits found of each arm, over its classes and seeds; run.json says which figures there are."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from ..records import AuditEntry, Record
from .records import Run, as_float

EXTERNAL = "external data"


def columns(run: Run) -> list[str]:
    """The figures that are on the leaderboard."""
    found = []
    for figure in run.run["audit"]["figures"]:
        found += [figure["name"]] if figure["column"] else []
        found += [figure["real"]] if figure["real"] and figure["real_column"] else []
    return found


def mean_of(run: Run, arm: str, name: str, label: int | None = None, part: str | None = None) -> float:
    """The mean of a figure over the seeds of an arm and over its filled classes, or in one of them; NaN where none.

    Of a figure with several parts (nearness by space, statistics) one of them, or the highest.
    """
    values = [_value(entry, name, part) for record in run.ok(arm) for entry in entries(record, label)]
    known = [value for value in values if not math.isnan(value)]
    return sum(known) / len(known) if known else math.nan


def entries(record: Record, label: int | None = None) -> list[AuditEntry]:
    """What was found in the filled classes of a record, or in one of them."""
    if record["audit"] is None:
        return []
    return [entry for name, entry in record["audit"]["classes"].items() if label is None or name == str(label)]


def _value(entry: Mapping[str, Any], name: str, part: str | None) -> float:
    found = entry.get(name)  # the ends of an interval are there for some figures only
    if isinstance(found, dict):
        if part:
            return as_float(found[part])
        return max((as_float(value) for value in found.values() if value is not None), default=math.nan)
    return as_float(found)


def troubling(run: Run, arm: str) -> dict[str, int]:
    """The flags that the audits raised for an arm, and in how many seeds."""
    raised = [flag for record in run.ok(arm) if record["audit"] for flag in record["audit"]["flags"]]
    return {flag: raised.count(flag) for flag in sorted(set(raised))}


def flags(run: Run, arm: str) -> list[str]:
    """What any seed of an arm was flagged for, external data last."""
    return [*troubling(run, arm), *([EXTERNAL] if run.arm(arm)["external_data"] else [])]


def told(run: Run, arm: str) -> list[str]:
    """The flags of an arm in words, with the number of seeds where it isn't all."""
    seeds, raised = len(run.ok(arm)), troubling(run, arm)
    return [
        f"{flag} in {raised[flag]} of {seeds} seeds" if raised.get(flag, seeds) < seeds else flag
        for flag in flags(run, arm)
    ]


def confused_with(run: Run, arm: str, label: int) -> str:
    """The class that most wrong examples of a class look like, and their share in the worst seed; '' where none."""
    found = [one for record in run.ok(arm) for entry in entries(record, label) if (one := entry["confused_with"])]
    if not found:
        return ""
    worst = max(found, key=lambda one: one["share"])
    return f"{run.class_names[worst['label']]} ({worst['share']:.0%})"


def who_looked(run: Run) -> str:
    """The feature extractor that the records name."""
    return next((record["audit"]["features"] for record in run.records.values() if record["audit"]), "")
