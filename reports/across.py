"""Compares runs on several data sets: average ranks, Friedman's test, then Nemenyi's and Wilcoxon's for the pairs.

Janez Demšar, Statistical comparisons of classifiers over multiple data sets, JMLR 7 (2006).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scikit_posthocs import posthoc_nemenyi_friedman
from scipy.stats import friedmanchisquare, rankdata, studentized_range
from statsmodels.stats.multitest import multipletests

from ..disk import write_atomically
from ..errors import FillbenchError, why
from .critical import diagram
from .markdown import escaped, table
from .numbers import listed, number, p_value
from .records import Run
from .verdicts import KNOWING

LEVEL = 0.05
DIGITS = 9  # recalls and their gaps are rounded, so that equals stay equal whatever the last bits say
FEWEST_ARMS = 3
FEWEST_TO_TEST = 3  # data sets: ranks on two can be told, but not tested


@dataclass(frozen=True)
class Comparison:
    """What several runs say together; arms are in the order of their average ranks."""

    runs: list[Run]
    recall: pd.DataFrame  # arms x data sets, the mean over seeds
    ranks: pd.Series  # by arm, 1 is best
    chi2: float
    p: float  # of Friedman's test
    nemenyi: pd.DataFrame  # p-values, arms x arms
    wilcoxon: pd.DataFrame  # the same, after Holm's correction
    left_out: dict[str, str]  # arm to reason

    @property
    def arms(self) -> list[str]:
        return [str(arm) for arm in self.ranks.index]

    @property
    def data_sets(self) -> list[str]:
        return [str(label) for label in self.recall]

    @property
    def tested(self) -> bool:
        return len(self.runs) >= FEWEST_TO_TEST

    @property
    def differ(self) -> bool:
        """Whether Friedman's test tells the arms apart; only then the pairs are looked at."""
        return self.tested and self.p < LEVEL

    @property
    def critical_difference(self) -> float:
        """How far apart average ranks must be for Nemenyi's test."""
        arms, sets = self.recall.shape
        return float(studentized_range.ppf(1 - LEVEL, arms, np.inf)) * math.sqrt(arms * (arms + 1) / (12 * sets))


def write(run_dirs: Sequence[Path], out: Path) -> str:
    """Write comparison.csv, comparison.md and critical-difference.png into a folder; returns the sentence to quote.

    Raises FillbenchError when the runs cannot be compared or the folder cannot be written.
    """
    found = compare([Run.read(path) for path in run_dirs])
    content = pd.concat([found.ranks.rename("average_rank"), found.recall], axis=1)
    pairs = found.nemenyi if found.differ else found.nemenyi * 0 + 1
    files = {
        "comparison.csv": content.to_csv(index_label="arm", lineterminator="\n").encode("utf-8", "replace"),
        "comparison.md": markdown(found).encode("utf-8", "replace"),
        "critical-difference.png": diagram(found.ranks, pairs, LEVEL, _title(found)),
    }
    try:
        out.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            write_atomically(out / name, text)
    except OSError as error:
        raise FillbenchError(f"folder '{out}' cannot be written ({why(error)}); choose another --out") from None
    return sentence(found)


def compare(runs: list[Run]) -> Comparison:
    """Rank the arms that are finished in every run. Raises FillbenchError where there is too little to compare."""
    _check_data_sets(runs)
    arms, left_out = _arms(runs)
    if len(arms) < FEWEST_ARMS:
        reasons = "; ".join(f"{arm}: {reason}" for arm, reason in left_out.items())
        raise FillbenchError(
            f"a comparison ranks {FEWEST_ARMS} arms or more that are finished in every run, and "
            f"here that is only {' and '.join(arms) or 'nothing'} ({reasons}); "
            "`benchmark run` with --out RUN_DIR finishes a run, with --generators and a new --out starts a wider one"
        )
    columns = zip(_labels(runs), runs, strict=True)
    recall = pd.DataFrame({label: [_mean(run, arm) for arm in arms] for label, run in columns}, index=arms)
    ranks = recall.rank(ascending=False).mean(axis=1).sort_values(kind="stable")
    recall = recall.loc[ranks.index]
    nemenyi = posthoc_nemenyi_friedman(recall.T)
    return Comparison(runs, recall, ranks, *friedman(recall), nemenyi, wilcoxon(recall), left_out)


def friedman(recall: pd.DataFrame) -> tuple[float, float]:
    """Statistic and p-value of Friedman's test; arms that are equal on every data set do not differ."""
    if (recall.nunique() == 1).all():
        return 0.0, 1.0
    found = friedmanchisquare(*recall.to_numpy())
    return float(found.statistic), float(found.pvalue)


def wilcoxon(recall: pd.DataFrame) -> pd.DataFrame:
    """The p-values of Wilcoxon's signed-rank test for every pair of arms, after Holm's correction."""
    pairs = list(combinations(recall.index, 2))
    raw = [signed_rank((recall.loc[a] - recall.loc[b]).round(DIGITS).to_numpy()) for a, b in pairs]
    found = pd.DataFrame(1.0, recall.index, recall.index)
    for (a, b), p in zip(pairs, multipletests(raw, method="holm")[1], strict=True):
        found.at[a, b] = found.at[b, a] = p
    return found


def signed_rank(gaps: np.ndarray) -> float:
    """The exact two-sided p-value of Wilcoxon's signed-rank test; zeros are split evenly, as Demšar does.

    Small test sets make many gaps equal. SciPy's method "exact" takes them for different, and says 0.047 where the
    truth is 0.0625; its "auto" tries all signs in Python, two minutes for 13 arms on 13 data sets.
    """
    ranks = np.rint(np.sign(gaps) * 2 * rankdata(np.abs(gaps))).astype(int)  # twice, so that shared ranks are whole
    chance = np.ones(1)  # of every sum of the ranks, when each sign is a coin toss
    for rank in np.abs(ranks[ranks != 0]):
        toss = np.zeros(2 * rank + 1)
        toss[[0, -1]] = 0.5
        chance = np.convolve(chance, toss)
    sums = np.arange(chance.size) - chance.size // 2
    return float(chance[np.abs(sums) >= abs(ranks.sum())].sum())


def sentence(found: Comparison) -> str:
    """The outcome in one sentence that can be quoted."""
    sets, arms = len(found.runs), len(found.ranks)
    best = [arm for arm in found.arms if found.ranks[arm] == found.ranks.min()]
    names = listed([_name(found, arm) for arm in best])
    lead = f"{names} {'has' if len(best) == 1 else 'share'} the best average rank, {found.ranks.min():.2f}"
    if not found.tested:
        return (
            f"{sets} data sets are too few for Friedman's test, which takes {FEWEST_TO_TEST} or more: "
            f"of {arms} arms ranked by minority recall {lead}, which may be chance."
        )
    test = f"Friedman's test: χ² = {found.chi2:.1f}, {p_value(found.p)}"
    if not found.differ:
        return (
            f"Over {sets} data sets the {arms} arms cannot be told apart by minority recall ({test}): "
            f"{lead}, which may be chance."
        )
    return f"Over {sets} data sets the {arms} arms differ in minority recall ({test}): {lead}; {_above(found, best)}."


def _above(found: Comparison, best: list[str]) -> str:
    """Which of the others Nemenyi's test puts below the best; these have one rank, so the first speaks for them."""
    it = "it" if len(best) == 1 else "them"
    others = [arm for arm in found.arms if arm not in best]
    apart = found.nemenyi.loc[best[0]] < LEVEL
    below = [arm for arm in others if apart[arm]]
    alike = [arm for arm in others if arm not in below]
    if not below:
        return f"Nemenyi's test cannot tell {it} from any other"
    if not alike:
        return f"Nemenyi's test puts {it} above every other"
    return f"Nemenyi's test puts {it} above {listed(below)}, but cannot tell {it} from {listed(alike)}"


def markdown(found: Comparison) -> str:
    """The whole of comparison.md."""
    parts = [
        f"# Minority recall over {len(found.runs)} data sets",
        escaped(sentence(found)),
        "![Critical difference diagram](critical-difference.png)",
        "## Average ranks",
        _rank_table(found),
        "On each data set arms are ranked by their mean minority recall over the seeds, which the columns show; "
        "1 is best, and equals share their ranks.",
        "## Pairs",
        _pair_table(found),
        _about_pairs(found),
        _not_independent(found),
        _left_out(found),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _rank_table(found: Comparison) -> str:
    lines = [["", "Arm", "Average rank", *map(escaped, found.data_sets)]]
    lines.append(["---:", "---", *["---:"] * (len(found.runs) + 1)])
    for place, arm in enumerate(found.arms, 1):
        lines.append(
            [str(place), escaped(_name(found, arm)), f"{found.ranks[arm]:.2f}", *map(number, found.recall.loc[arm])]
        )
    return table(lines)


def _pair_table(found: Comparison) -> str:
    """Nemenyi's p-values below the diagonal, Wilcoxon's above."""
    arms = found.arms
    values = np.where(np.tri(len(arms), dtype=bool), found.nemenyi, found.wilcoxon)
    lines = [["", "Arm", *(str(place) for place in range(1, len(arms) + 1))]]
    lines.append(["---:", "---", *["---:"] * len(arms)])
    for row, arm in enumerate(arms):
        cells = ["" if row == column else _cell(found, p) for column, p in enumerate(values[row])]
        lines.append([str(row + 1), escaped(arm), *cells])
    return table(lines)


def _cell(found: Comparison, p: float) -> str:
    text = "<0.001" if p < 0.001 else number(p)
    return f"**{text}**" if found.differ and p < LEVEL else text


def _about_pairs(found: Comparison) -> str:
    """What the p-values are, and what they can reach with so many data sets."""
    sets, arms = len(found.runs), len(found.ranks)
    pairs = arms * (arms - 1) // 2
    words = (
        f"p-values: below the diagonal of Nemenyi's test (critical difference {found.critical_difference:.2f} ranks), "
        "above it of Wilcoxon's signed-rank test with Holm's correction. "
    )
    if found.differ:
        words += f"**Bold** is below {LEVEL}. "
    else:
        words += "They are for the record: pairs count only where Friedman's test tells the arms apart. "
    least = pairs / 2 ** (sets - 1)
    if least >= LEVEL:
        enough = math.floor(math.log2(pairs / LEVEL)) + 2
        words += (
            f"On {sets} data sets Wilcoxon's test cannot come below {LEVEL} at all: "
            f"for {pairs} pairs that takes {enough} data sets. "
        )
    return words + "Friedman's and Nemenyi's are approximations that hold from about ten data sets on (Demšar 2006)."


def _not_independent(found: Comparison) -> str:
    """A warning where data sets differ in nothing but their imbalance."""
    sources = [run.dataset["fingerprint"] for run in found.runs]
    alike = [label for label, of in zip(found.data_sets, sources, strict=True) if sources.count(of) > 1]
    if not alike:
        return ""
    return (
        f"The tests take the data sets for independent, but {escaped(listed(alike))} "
        "share their examples with one another and differ in the imbalance only, which makes the p-values too small."
    )


def _left_out(found: Comparison) -> str:
    lines = [f"- **{escaped(arm)}**: {escaped(reason)}" for arm, reason in found.left_out.items()]
    return "## Left out\n\n" + "\n".join(lines) if lines else ""


def _title(found: Comparison) -> str:
    words = f"Average rank by minority recall over {len(found.runs)} data sets, 1 is best. "
    if found.differ:
        difference = f"critical difference {found.critical_difference:.2f}"
        return words + f"Bars join arms that Nemenyi's test cannot tell apart ({difference})."
    why_not = "Friedman's test cannot tell them apart" if found.tested else "so few data sets cannot be tested"
    return words + f"The bar joins all arms: {why_not}."


def _name(found: Comparison, arm: str) -> str:
    """The arm, and whether it was given what the others were not."""
    if any(run.is_reference(arm) for run in found.runs):
        return f"{arm} (reference)"
    external = any(run.arm(arm)["external_data"] for run in found.runs)
    return f"{arm} (external data)" if external else arm


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
        done = len(run.metric(arm, KNOWING))
        if arm not in run.arm_names:
            where.setdefault("not part of", []).append(str(run.path))
        elif done < len(run.seeds):
            where.setdefault(f"{done} of {len(run.seeds)} seeds finished in", []).append(str(run.path))
    return "; ".join(f"{reason} {listed(paths)}" for reason, paths in where.items())


def _mean(run: Run, arm: str) -> float:
    return round(float(np.mean(list(run.metric(arm, KNOWING).values()))), DIGITS)
