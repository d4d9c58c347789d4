"""The tables of what an audit measures and of what it flags; reports print both from here, by way of run.json."""

from __future__ import annotations

from dataclasses import asdict
from typing import cast

from scipy.special import bdtrc  # a binomial's upper tail

from ...datasets.base import Traits
from ...records import AuditInfo, FigureInfo
from .base import Auditor, Entry, Figure, Flag, Limits
from .chance import at_least, fewer, uneven
from .nearness import COPY

FIGURES = (
    Figure("copy_rate", "Copies"),
    Figure("near_rate", "Near kept", by_space=True),
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


def _below(entry: Entry, name: str, limit: float) -> bool:
    return entry[name] is not None and entry[name] < limit


def _near(entry: Entry, limits: Limits, level: float, *rates: float | None) -> bool:
    """Whether by any of the rates more are near to kept examples than honest ones would be."""
    count = entry["looked_at"]
    return any(
        rate is not None
        and rate > limits.copies
        and bdtrc(round(rate * count) - 1, count, limits.honest) < level / len(rates)
        for rate in rates
    )


def copies(entry: Entry, limits: Limits, level: float) -> bool:
    """Whether the kept examples come back."""
    return entry["known_rate"] > limits.exact + entry["known_real"] or _near(entry, limits, level, entry["copy_rate"])


def near_kept(entry: Entry, limits: Limits, level: float) -> bool:
    """Whether they stay near to the kept examples, though they are no copies."""
    return not copies(entry, limits, level) and _near(entry, limits, level, *entry["near_rate"].values())


def _leaked(rate: float | None, sources: list[int], limits: Limits, level: float) -> bool:
    """Whether more are near to what was not given than honest ones would be, by the distinct examples they are near to.

    Many synthetic examples may be versions of a few, so their number says nothing. Of honest ones `limits.honest` would
    be near if the limit were known; it is learned from a few real examples, so the share is beta-distributed, and the
    binomial test a beta-binomial one.
    """
    if rate is None or rate <= limits.leaks:
        return False
    near, distinct, below, real = sources
    return at_least(int(near), distinct, below, real) < level


def leaks(entry: Entry, limits: Limits, level: float) -> bool:
    """Whether examples come back that the generator was not given: the test or the removed ones, in either space, or
    all are on one side."""
    side, level = entry["test_side"], level / 5  # as many are tested: four rates and the side
    return (
        entry["unseen_rate"] > limits.exact + entry["unseen_real"]
        or any(
            _leaked(rate, entry[f"{name}_sources"][space], limits, level)
            for name in ("test_leak", "removed_leak")
            for space, rate in entry[f"{name}_rate"].items()
        )
        or (
            side is not None
            and not limits.removed_side < side < limits.test_side
            and uneven(*entry["test_side_sources"]) < level
        )
    )


def collapsed(entry: Entry, limits: Limits, level: float) -> bool:
    """Whether all are alike. What is near to a few kept ones is repetitive, which is said already."""
    return _below(entry, "diversity", limits.collapsed) or (
        _below(entry, "distinct", limits.repeated)
        and not copies(entry, limits, level)
        and not near_kept(entry, limits, level)
    )


def _recognisable(entry: Entry, limits: Limits, level: float) -> float:
    """What is recognised of real examples. Who repeats the kept ones cannot be better recognised than these."""
    real, kept = entry["label_fidelity_real"], entry["label_fidelity_kept"]
    return min(real, kept) if copies(entry, limits, level) or near_kept(entry, limits, level) else real


def _fewer(entry: Entry, share: float, of: float) -> float:
    """One-sided p-value, by Fisher's exact test, of recognising `share` of the synthetic and `of` of the real ones."""
    made, real = entry["count"], entry["label_fidelity_tests"]
    return fewer(round(share * made), made, round(of * real), real)


def wrong_label(entry: Entry, limits: Limits, level: float) -> bool:
    """Whether they show another class: the share that is not recognised though real ones are."""
    real = _recognisable(entry, limits, level)
    found = entry["label_fidelity"]
    return found < (1 - limits.wrong) * real and _fewer(entry, found, real) < level


def tells_labels(entry: Entry, limits: Limits, level: float) -> bool:
    """Whether so many wrong labels as must not go unseen would be shown."""
    real = _recognisable(entry, limits, level)
    return _fewer(entry, (1 - limits.must_show) * real, real) < level


def off_range(entry: Entry, limits: Limits, level: float) -> bool:
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
        "The share of synthetic {plural} that are a kept one but for light noise: nearer to it than {copy:g} of the "
        "distance to the nearest real one. Flagged above {copies:g}, or if a share above {exact:g} is a kept one to "
        "the last bit (above that of other real ones which are). {alike}",
    ),
    Flag(
        "leaks",
        ("test_leak_rate", "removed_leak_rate", "unseen_rate", "test_side"),
        leaks,
        "The share nearer to a test one, or to a removed one, than all but {honest:.0%} of real {plural} are, in "
        "{space} or in features; no generator was given either, and what is nearer to a kept one is no leak. Flagged "
        "above {leaks:g} where the distinct {plural} that they are near to are too many for chance; and if nearly all "
        "are nearer to the test than to the removed {plural}, or nearly none. {loosely}",
    ),
    Flag(
        "near the kept ones",
        ("near_rate",),
        near_kept,
        "No copies, but a share above {copies:g} is nearer to a kept one than all but {honest:.0%} of real {plural} "
        "that are not among them, in {space} or in features: kept {plural} bent, blended or turned, which add little.",
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
        "How many an independent classifier takes for what was asked; the first row is real test {plural}. Flagged if "
        "the share falls short of theirs (near the kept ones: of what these reach, if it is less) by {wrong:g} of it. "
        "It cannot tell where the {plural} are too few, or real ones too rarely recognised, to show that {must_show:g} "
        "are wrong.",
        tells_labels,
    ),
)


def raised(entry: Entry, auditor: Auditor, looks: int) -> tuple[list[str], list[str]]:
    """The names of the flags that an audited class raises, and of those of which nothing can be told.

    An arm is looked at `looks` times, for each filled class and seed, and flagged by any: Bonferroni's level is one
    look's share of what chance may do to the arm.
    """
    limits, flags = auditor.limits, (*FLAGS, *auditor.flags)
    level = limits.chance / looks
    found = [flag.name for flag in flags if flag.raised(entry, limits, level)]
    silent = [flag.name for flag in flags if not flag.tells(entry, limits, level)]
    return found, [name for name in silent if name not in found]


def described(auditor: Auditor, traits: Traits) -> AuditInfo:
    """Both tables for run.json, so that a report knows them from the records alone."""
    words = {
        "plural": traits.plural,
        "noun": traits.noun,
        "space": auditor.space,
        "alike": auditor.alike,
        "loosely": auditor.loosely,
        "copy": COPY,
        "off_range": auditor.off_range,
        **asdict(auditor.limits),
    }
    figures, flags = (*FIGURES, *auditor.figures), (*FLAGS, *auditor.flags)
    return {
        "space": auditor.space,
        "statistics": list(auditor.statistics),
        "figures": [cast(FigureInfo, asdict(figure) | {"note": figure.note.format_map(words)}) for figure in figures],
        "flags": [{"name": flag.name, "explanation": flag.explanation.format_map(words).strip()} for flag in flags],
    }
