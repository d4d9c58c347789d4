"""The tables of what an audit measures and of what it flags; reports print both from here, by way of run.json."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, cast

from scipy.special import bdtr, bdtrc  # a binomial's two tails; scipy.stats takes a second to import

from ...datasets.base import Traits
from ...records import AuditInfo, FigureInfo
from .base import Auditor, Limits

Entry = dict[str, Any]  # what was found of one class, see `audit`


@dataclass(frozen=True)
class Figure:
    """A column of the table of audits. `by_space`: two numbers, near in the examples themselves and in features.

    `real`: the figure that says the same of real examples. `column`, `real_column`: whether it, or that of real ones,
    is on the leaderboard too.
    """

    name: str
    label: str
    digits: int = 2
    by_space: bool = False
    real: str | None = None
    column: bool = True
    real_column: bool = False
    note: str = ""


FIGURES = (
    Figure("copy_rate", "Copies", by_space=True),
    Figure("test_leak_rate", "Test leak", by_space=True),
    Figure("removed_leak_rate", "Removed leak", by_space=True, column=False),
    Figure("duplicate_rate", "Duplicates"),
    Figure("label_fidelity", "Label fidelity", real="label_fidelity_real"),
    Figure("diversity", "Diversity"),
    Figure(
        "kid",
        "KID",
        digits=3,
        note="Kernel Inception distance (Binkowski 2018) to the test {plural} of the class, with its interval.",
    ),
    Figure(
        "fid",
        "FID",
        digits=1,
        real="fid_floor",
        real_column=True,
        note="Fréchet Inception distance (Heusel 2017) to the test {plural} of the class. It needs more {plural} than "
        "features have dimensions; the first row is its floor: real against real, as many {plural}.",
    ),
    Figure("precision", "Precision", column=False),
    Figure("recall", "Recall", column=False),
    Figure("density", "Density"),
    Figure("coverage", "Coverage"),
)


@dataclass(frozen=True)
class Flag:
    """What cannot be believed as it stands: when it is raised, on which figures, and how a report explains it."""

    name: str
    figures: tuple[str, ...]
    raised: Callable[[Entry, Limits], bool]
    explanation: str


def _taken_from(entry: Entry, limits: Limits, *names: str) -> bool:
    """Whether more are near than honest examples would be, by any of the rates."""
    count = entry["looked_at"]
    return any(
        rate is not None
        and rate > limits.copies
        and bdtrc(round(rate * count) - 1, count, limits.honest) < limits.chance
        for name in names
        for rate in entry[name].values()
    )


def _below(entry: Entry, name: str, limit: float) -> bool:
    return entry[name] is not None and entry[name] < limit


def copies(entry: Entry, limits: Limits) -> bool:
    """Whether the kept examples come back."""
    return _taken_from(entry, limits, "copy_rate") or entry["known_rate"] > limits.exact


def leaks(entry: Entry, limits: Limits) -> bool:
    """Whether examples come back that the generator was not given. A single one is on one side of everything."""
    side = entry["test_side"]
    return (
        _taken_from(entry, limits, "test_leak_rate", "removed_leak_rate")
        or entry["unseen_rate"] > limits.exact
        or (
            side is not None
            and not limits.removed_side < side < limits.test_side
            and not _below(entry, "diversity", limits.collapsed)
        )
    )


def collapsed(entry: Entry, limits: Limits) -> bool:
    """Whether all are alike. Copies of a few are repetitive, which is said already."""
    return _below(entry, "diversity", limits.collapsed) or (
        _below(entry, "distinct", limits.repeated) and not copies(entry, limits)
    )


def wrong_label(entry: Entry, limits: Limits) -> bool:
    """Whether they show another class. Who resembles what it was given cannot be better recognised than that."""
    real = min(entry["label_fidelity_real"], entry["label_fidelity_kept"])
    recognised = round(entry["label_fidelity"] * entry["count"])
    return entry["label_fidelity"] < limits.recognised * real and bdtr(recognised, entry["count"], real) < limits.chance


def off_range(entry: Entry, limits: Limits) -> bool:
    """Whether their values, or their features, lie where those of real ones do not."""
    return bool(entry["off"]) or _below(entry, "precision", limits.precision)


FLAGS = (
    Flag(
        "collapsed",
        ("diversity", "distinct"),
        collapsed,
        "The mean distance between two synthetic {plural}, along directions in which real ones differ, is under "
        "{collapsed:g} of what theirs is (diversity), or they are near-repetitions of a few that are not kept ones.",
    ),
    Flag(
        "copies",
        ("copy_rate", "known_rate"),
        copies,
        "The share of synthetic {plural} nearer to a kept one than 95 % of real {plural} that are not among them, in "
        "{space} or in features: about {honest:g} for honest {plural}. Flagged above {copies:g}, or if a share "
        "above {exact:g} is a kept one to the last bit. {alike}",
    ),
    Flag(
        "leaks",
        ("test_leak_rate", "removed_leak_rate", "unseen_rate", "test_side"),
        leaks,
        "The same for test {plural} and for removed ones, which no generator was given; what is nearer to a kept one "
        "is no leak. Flagged also if nearly all are nearer to the test than to the removed {plural}, or nearly none.",
    ),
    Flag(
        "off range",
        ("off", "precision"),
        off_range,
        "{off_range}; or under {precision:g} of the {plural} lie where real ones do (precision).",
    ),
    Flag(
        "wrong label",
        ("label_fidelity", "label_fidelity_real", "label_fidelity_kept"),
        wrong_label,
        "How many an independent classifier takes for what was asked; the first row is real test {plural}. Flagged "
        "under {recognised:g} of that, or of what the kept {plural} reach.",
    ),
)


def raised(entry: Entry, limits: Limits) -> list[str]:
    """The names of the flags that an audited class raises."""
    return [flag.name for flag in FLAGS if flag.raised(entry, limits)]


def described(auditor: Auditor, traits: Traits) -> AuditInfo:
    """Both tables for run.json, so that a report knows them from the records alone."""
    words = {
        "plural": traits.plural,
        "noun": traits.noun,
        "space": auditor.space,
        "alike": auditor.alike,
        "off_range": auditor.off_range,
        **asdict(auditor.limits),
    }
    return {
        "space": auditor.space,
        "statistics": list(auditor.statistics),
        "figures": [cast(FigureInfo, asdict(figure) | {"note": figure.note.format_map(words)}) for figure in FIGURES],
        "flags": [{"name": flag.name, "explanation": flag.explanation.format_map(words).strip()} for flag in FLAGS],
    }
