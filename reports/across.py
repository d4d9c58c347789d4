"""Compares runs on several data sets: every arm against doing nothing and against what costs nothing, and the ranks."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scikit_posthocs import posthoc_nemenyi_friedman

from ..disk import write_atomically
from ..errors import FillbenchError, why
from .audits import flags
from .comparisons import ALPHA, FEWEST_SEEDS, Floats, differences
from .critical import diagram
from .forest import forest
from .many_to_one import FEWEST_DATA_SETS, Bases, Difference, RandomEffects, judge, random_effects, word
from .markdown import escaped, table
from .numbers import NOTHING, listed, number, p_value, signed, with_bounds
from .records import Run
from .statistics import Interval
from .verdicts import BASES, COMPARED, ESTIMANDS, HELPS, HURTS, KNOWING, MIXED, NO_DIFFERENCE, evidence
from .words import CALLED

DIGITS = 9  # levels are rounded, so that equals stay equal whatever the last bits say
Effects = Mapping[str, RandomEffects]  # by estimand
LABEL = "Difference in average precision of the rare classes"


@dataclass(frozen=True)
class Comparison:
    """What several runs say together; arms are in the order of their average ranks, by knowing.

    `levels` (arms x data sets), the mean over seeds, by estimand. `against` and `effects`: by base, arm and estimand.
    `forest`: by arm the difference to `none` in knowing on each data set, and how far its interval reaches.
    """

    runs: list[Run]
    floor: str
    controls: list[str]  # planned in every run
    levels: Mapping[str, pd.DataFrame]
    ranks: pd.Series
    against: Mapping[str, Mapping[str, Mapping[str, Difference]]]
    effects: Mapping[str, Mapping[str, Effects]]
    forest: Mapping[str, tuple[Floats, Floats]]
    left_out: Mapping[str, str]  # arm to reason

    @property
    def data_sets(self) -> list[str]:
        return [str(label) for label in self.levels[KNOWING]]

    @property
    def tested(self) -> bool:
        return len(self.runs) >= FEWEST_DATA_SETS

    @property
    def on_trial(self) -> list[str]:
        """The arms that are neither `none` nor a control; the controls where there are no others."""
        arms = list(self.against["none"])
        return [arm for arm in arms if arm not in self.controls] or arms


def write(run_dirs: Sequence[Path], out: Path) -> str:
    """Write comparison.csv, comparison.md and the figures into a folder; returns the sentence to quote.

    Raises FillbenchError when the runs cannot be compared or the folder cannot be written.
    """
    found = compare([Run.read(path) for path in run_dirs])
    means = {arm: of[KNOWING] for arm, of in found.effects["none"].items()}
    title = f"Knowing, against {found.floor}: each data set with its 95 % interval, and the random-effects mean"
    content = columns(found).to_csv(index=False, lineterminator="\n")
    files = {
        "comparison.csv": content.encode("utf-8", "replace"),
        "comparison.md": markdown(found).encode("utf-8", "replace"),
        "forest.png": forest(found.forest, means, found.data_sets, LABEL, title),
        "critical-difference.png": _critical_difference(found),
    }
    try:
        out.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            write_atomically(out / name, text)
    except OSError as error:
        raise FillbenchError(f"folder '{out}' cannot be written ({why(error)}); choose another --out") from None
    return sentence(found)


def compare(runs: list[Run]) -> Comparison:
    """Compare the arms that are finished in every run. Raises FillbenchError where there is too little to compare."""
    _check_data_sets(runs)
    arms, left_out = _arms(runs)
    floor = next((arm for arm in arms if arm == runs[0].floor), None)
    if floor is None or len(arms) < 2:
        reasons = "; ".join(f"{arm}: {reason}" for arm, reason in left_out.items())
        raise FillbenchError(
            f"a comparison takes {runs[0].floor or 'none'} and another arm, finished in every run, and here that is "
            f"only {' and '.join(arms) or 'nothing'} ({reasons}); "
            "`benchmark run` with --out RUN_DIR finishes a run, with --generators and a new --out starts a wider one"
        )
    levels = {metric: _levels(runs, arms, metric) for metric in COMPARED}
    ranks = levels[KNOWING].rank(ascending=False).mean(axis=1).sort_values(kind="stable")
    others = [str(arm) for arm in ranks.index if arm != floor]
    controls = [arm for arm in runs[0].controls if all(arm in run.controls for run in runs)]
    rivals = {arm: [one for one in controls if one != arm] for arm in others}
    whole = not left_out.keys() & set(controls)
    bases: dict[str, Bases] = {
        "none": {arm: [floor] for arm in others},
        "controls": {arm: held for arm, held in rivals.items() if held and whole},
    }
    gaps = {metric: _by_data_set(runs, metric, bases) for metric in COMPARED}
    return Comparison(
        runs,
        floor,
        controls,
        levels,
        ranks,
        {base: judge(levels, held) for base, held in bases.items()},
        {base: {arm: _effects(gaps, arm, of) for arm, of in held.items()} for base, held in bases.items()},
        {arm: (gaps[KNOWING][arm, floor][0], gaps[KNOWING][arm, floor][2]) for arm in others},
        left_out,
    )


def _levels(runs: list[Run], arms: list[str], metric: str) -> pd.DataFrame:
    """The mean of a metric over seeds, arms x data sets."""
    means = {label: [_mean(run, arm, metric) for arm in arms] for label, run in zip(_labels(runs), runs, strict=True)}
    return pd.DataFrame(means, index=arms)


def _by_data_set(runs: list[Run], metric: str, bases: Mapping[str, Bases]) -> dict[tuple[str, str], Floats]:
    """Of every arm and each that it is held against: the difference, its variance and how far its interval reaches,
    (3, data sets), as the leaderboard of each run has them; NaN where a run has none."""
    pairs = [(arm, other) for held in bases.values() for arm, others in held.items() for other in others]
    found = np.full((len(pairs), 3, len(runs)), math.nan)
    for spot, run in enumerate(runs):
        found[:, 0, spot] = [_mean(run, arm, metric) - _mean(run, other, metric) for arm, other in pairs]
        known = [arm for arm in run.arm_names if not run.missing(arm)]
        if len(run.seeds) >= FEWEST_SEEDS and {arm for pair in pairs for arm in pair} <= set(known):
            over = differences(evidence(run, known, metric), pairs)
            found[:, 1, spot], found[:, 2, spot] = over.seed_variance + over.image_variance, over.half(ALPHA)
    return dict(zip(pairs, found, strict=True))


def _effects(gaps: Mapping[str, Mapping[tuple[str, str], Floats]], arm: str, others: Sequence[str]) -> Effects:
    """The random-effects means of an arm against its bases, by estimand."""
    of = {metric: np.stack([by_pair[arm, other] for other in others]) for metric, by_pair in gaps.items()}
    return {metric: random_effects(one[:, 0], one[:, 1]) for metric, one in of.items()}


def columns(found: Comparison) -> pd.DataFrame:
    """The whole of comparison.csv: a row for each arm, estimand and base."""
    rows = []
    for base, arms in found.against.items():
        for arm, by_metric in arms.items():
            for metric, one in by_metric.items():
                effect = found.effects[base][arm][metric]
                rows.append(
                    {
                        "arm": arm,
                        "estimand": ESTIMANDS[metric],
                        "base": base,
                        "mean": one.mean,
                        "ci_low": one.low,
                        "ci_high": one.high,
                        "p": one.p,
                        "random_mean": effect.mean,
                        "random_ci_low": effect.low,
                        "random_ci_high": effect.high,
                        "random_tau2": effect.tau2,
                        "data_sets": len(found.runs),
                        "verdict": word(by_metric),
                        "average_rank": found.ranks[arm],
                    }
                )
    return pd.DataFrame(rows)


def sentence(found: Comparison) -> str:
    """The outcome in words that can be quoted."""
    sets = len(found.runs)
    if found.tested:
        told = f"Over {sets} data sets, beside doing nothing ({found.floor}), {_by_verdict(found, 'none')}."
        return f"{told} {_beyond_controls(found)}"
    means = {arm: found.against["none"][arm][KNOWING].mean for arm in found.on_trial}
    most = max(means, key=lambda arm: means[arm])
    return (
        f"{sets} data sets describe; it takes {FEWEST_DATA_SETS} to test. {_name(found, most)} has the largest mean "
        f"difference to {found.floor} in {CALLED[KNOWING]} of the rare classes, {signed(means[most])}, "
        "which may be chance."
    )


def _by_verdict(found: Comparison, base: str) -> str:
    """helps: a and b; no difference shown: c"""
    words = {arm: word(found.against[base][arm]) for arm in found.on_trial}
    parts = []
    for verdict in (HELPS, MIXED, HURTS, NO_DIFFERENCE):
        if names := [_name(found, arm) for arm in words if words[arm] == verdict]:
            parts.append(f"{verdict}: {listed(names)}")
    return "; ".join(parts)


def _beyond_controls(found: Comparison) -> str:
    """Whether any arm does more than what costs nothing."""
    if not found.against["controls"]:
        lacking = [arm for arm in found.controls if arm in found.left_out]
        why_not = f"{listed(lacking)} not finished in every run" if lacking else "none is part of every run"
        return f"Nothing is said beside the controls: {why_not}."
    shown, controls = _by_verdict(found, "controls"), listed(found.controls)
    if any(word(found.against["controls"][arm]) == HELPS for arm in found.on_trial):
        return f"Beside every control ({controls}), {shown}."
    return f"No arm is shown to do more than what costs nothing ({controls}), {shown}."


def markdown(found: Comparison) -> str:
    """The whole of comparison.md."""
    parts = [
        f"# Rare classes over {len(found.runs)} data sets",
        escaped(sentence(found)),
        "![Forest plot](forest.png)",
        _table(found),
        _about(found),
        _not_independent(found),
        "![Critical difference diagram](critical-difference.png)",
        _left_out(found),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _table(found: Comparison) -> str:
    told = {"none": escaped(found.floor), "controls": "the controls"}
    head = ["Arm", "Average rank"]
    for base in BASES:
        head += [*(f"{ESTIMANDS[metric].capitalize()}, against {told[base]}" for metric in COMPARED), "Verdict"]
    lines = [[*head, f"Random-effects mean of knowing, against {told['none']}", "τ²"]]
    lines.append(["---", *["---:"] * (len(lines[0]) - 1)])
    for arm in found.against["none"]:
        row = [escaped(_name(found, arm)), f"{found.ranks[arm]:.2f}"]
        for base in BASES:
            of = found.against[base].get(arm)
            row += [*map(_cell, of.values()), word(of) or NOTHING] if of else [NOTHING] * 3
        mean, low, high, tau2 = found.effects["none"][arm][KNOWING]
        lines.append([*row, with_bounds(Interval(mean, low, high, len(found.runs)), sign=True), number(tau2, 4)])
    return table(lines)


def _cell(one: Difference) -> str:
    """+0.123 [+0.045, +0.201], p = 0.012"""
    text = with_bounds(Interval(one.mean, one.low, one.high, 0), sign=True)
    return text if math.isnan(one.p) else f"{text}, {p_value(one.p)}"


def _about(found: Comparison) -> str:
    """What the numbers of the table are."""
    words = (
        "Each data set counts once, with its mean over seeds. Knowing is the average precision of the rare classes, "
        "deciding the balanced accuracy; brackets hold 95 % intervals over other data sets, before any correction. "
        "Against the controls: the arm minus the best of them. "
    )
    if found.tested:
        words += (
            "p is of a paired t test over the data sets, after Holm's correction over arms and both estimands; to help "
            "beside the controls an arm has to beat every one of them. "
        )
    else:
        words += f"With fewer than {FEWEST_DATA_SETS} data sets nothing is tested: there is no p and no verdict. "
    return words + (
        "The random-effects mean weighs each data set by how well it is known (Paule and Mandel's τ², the variance "
        "between data sets; Hartung and Knapp's interval); it takes predictions and "
        f"{FEWEST_SEEDS} seeds in every run. Ranks are by knowing, 1 is best."
    )


def _not_independent(found: Comparison) -> str:
    """A warning where data sets differ in nothing but their imbalance."""
    sources = [run.dataset["fingerprint"] for run in found.runs]
    alike = [label for label, of in zip(found.data_sets, sources, strict=True) if sources.count(of) > 1]
    if not alike:
        return ""
    return (
        f"Data sets are taken for independent, but {escaped(listed(alike))} share their examples with one another and "
        "differ in the imbalance only, so intervals are too narrow and p-values too small."
    )


def _left_out(found: Comparison) -> str:
    lines = [f"- **{escaped(arm)}**: {escaped(reason)}" for arm, reason in found.left_out.items()]
    return "## Left out\n\n" + "\n".join(lines) if lines else ""


def _critical_difference(found: Comparison) -> bytes:
    """The figure of the average ranks; Nemenyi's test is of all pairs."""
    title = f"Average rank by {CALLED[KNOWING]} over {len(found.runs)} data sets, 1 is best. "
    pairs = posthoc_nemenyi_friedman(found.levels[KNOWING].T)
    if found.tested:
        title += "Bars join arms that Nemenyi's test cannot tell apart."
    else:
        pairs, title = pairs * 0 + 1, title + "The bar joins all arms: so few data sets are not tested."
    return diagram(found.ranks, pairs, ALPHA, title)


def _name(found: Comparison, arm: str) -> str:
    """The arm, with what any run says against it: it never wins silently."""
    raised = list(dict.fromkeys(flag for run in found.runs for flag in flags(run, arm)))
    return f"{arm} (flagged: {listed(raised)})" if raised else arm


def _check_data_sets(runs: list[Run]) -> None:
    """Two data sets at the least, and none twice."""
    seen: dict[Any, Run] = {}
    for run in runs:
        imbalance = [run.run["config"].get(key) for key in ("profile", "keep", "imbalance_ratio")]
        other = seen.setdefault((run.dataset["fingerprint"], tuple(sorted(run.minority)), *imbalance), run)
        if other is not run:
            raise FillbenchError(
                f"{other.path} and {run.path} are runs of the same data set ({run.dataset['name']}) with the same "
                "imbalance, and count once: leave one of them out; more seeds belong in one run (--seeds)"
            )
    if len(runs) < 2:
        raise FillbenchError(
            f"{runs[0].path} alone is no comparison: give two run directories or more, each of another data set"
        )


def _labels(runs: list[Run]) -> list[str]:
    """The names of the data sets; where two have one name, with the folder of the run."""
    names = [run.dataset["name"] for run in runs]
    return [name if names.count(name) == 1 else f"{name} ({run.path})" for name, run in zip(names, runs, strict=True)]


def _arms(runs: list[Run]) -> tuple[list[str], dict[str, str]]:
    """The arms finished in every run; of the others, why they are left out."""
    reasons = {arm: _why_not(runs, arm) for run in runs for arm in run.arm_names}
    return [arm for arm in reasons if not reasons[arm]], {arm: reason for arm, reason in reasons.items() if reason}


def _why_not(runs: list[Run], arm: str) -> str:
    if any(run.ceiling == arm for run in runs):
        return f"the reference that keeps every real {runs[0].run['noun']}"
    where: dict[str, list[str]] = {}
    for run in runs:
        done = min(len(run.metric(arm, metric)) for metric in COMPARED)
        if arm not in run.arm_names:
            where.setdefault("not part of", []).append(str(run.path))
        elif done < len(run.seeds):
            where.setdefault(f"{done} of {len(run.seeds)} seeds finished in", []).append(str(run.path))
    return "; ".join(f"{reason} {listed(paths)}" for reason, paths in where.items())


def _mean(run: Run, arm: str, metric: str) -> float:
    return round(float(np.mean(list(run.metric(arm, metric).values()))), DIGITS)
