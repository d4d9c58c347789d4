"""Measures on simulated runs, where the truth is known, how often the report's verdicts are right.

    python -m fillbench.benchmark.calibrate [--runs N] [--out FILE.json] [--twins RUN_DIR | --halves RUN_DIR]

With `--twins`, on a real run whose arms are the same but for their name and their generator's draws. With `--halves`,
it tells how well the order of a real run's arms by half of its seeds agrees with that by the other half.
A simulated run has four classes, one of them rare, and test probabilities for every arm and seed. The score of a class
is what the example's difficulty, this arm's view of the example, and chance make of it, each normal; the true class is
ahead by a margin, the rare one less than the others, and the rare class is held back by a bias, as training on few
examples does. Each seed moves that margin and that bias: a little for all arms, more for each arm by itself, how much
differs from arm to arm (log-normal, a factor of 1.6). All is drawn anew for each arm, so arms without a gain differ by
chance only, but do differ in every single run. A gain widens the margin of the rare class.
A seed that collapses costs an arm `collapse` of its average precision and of the recall of the rare class. What it
gains in all other seeds makes up for that, so that the arm is no worse than the others in truth.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr

from ..errors import FillbenchError
from ..reports.comparisons import Evidence, gather
from ..reports.estimates import Predictions
from ..reports.levels import level
from ..reports.metrics import METRICS as TABLE
from ..reports.records import Run
from ..reports.statistics import Interval
from ..reports.verdicts import (
    COMPARED,
    DECIDING,
    HELPS,
    HURTS,
    KNOWING,
    MIXED,
    RECALL,
    SHIFTS,
    Verdict,
    evidence,
    judge,
)

CLASSES, MAJORITY, RARE = 4, 90, 0
MARGIN, COMMON_BY_SEED, ARM_BY_EXAMPLE = 3.2, 0.2, 0.5
BY_SEED_SPREAD = 0.5  # of the logarithm
SEEDS = (3, 5, 10)
METRICS = {metric.name: metric for metric in TABLE if metric.name in (*COMPARED, RECALL)}


@dataclass(frozen=True)
class Case:
    """A run with `arms` besides `none`, the last `controls` of which are controls, the first `gifted` of which gain.

    `by_seed`: how much a seed moves a typical arm; `base`, `last`: how many times as much it moves `none`, and the last
    arm; `noisy_controls`: how many of the controls it moves four times as much. `collapsing`: the arm that collapses in
    one seed of five. `alike`: the correlation of what seeds and examples do to the arms.
    """

    name: str
    arms: int = 10
    controls: int = 0
    gifted: int = 0
    gain: float = 0.0
    rare: int = 87
    margin: float = 2.2
    bias: float = -1.0
    by_seed: float = 0.25
    base: float = 1.0
    last: float = 1.0
    noisy_controls: int = 0
    collapsing: int | None = None
    collapse: float = 0.3
    alike: float = 0.0


QUIET = 0.1
NULL = (
    *(Case(f"{arms} arms", arms) for arms in (1, 2, 5, 10, 20)),
    Case("5 quiet arms", 5, by_seed=QUIET),
    Case("5 quiet arms, none collapses", 5, by_seed=QUIET, collapsing=0),
    Case("5 quiet arms, one collapses", 5, by_seed=QUIET, collapsing=5),
    Case("seeds matter 3 times as much to one arm", 15, last=3),
    Case("seeds matter 8 times as much to one arm", 15, last=8),
    Case("5 quiet arms, seeds matter 8 times as much to one", 5, by_seed=QUIET, last=8),
    Case("seeds matter 2.5 times as much to none", 15, base=2.5),
    Case("3 controls, one noisy", 13, controls=3, noisy_controls=1),
    Case("5 controls, 2 noisy", 15, controls=5, noisy_controls=2),
    Case("8 controls, 4 noisy", 18, controls=8, noisy_controls=4),
    Case("5 rare test examples", rare=5),
    Case("50 rare test examples", rare=50),
    Case("300 rare test examples", rare=300),
    Case("recall near 0", margin=1.5, bias=-5),
    Case("recall near 1", margin=4.5, bias=2.5),
    Case("arms alike", alike=0.7),
)
GAINS = (0.35, 0.75, 1.8)
POWER = tuple(
    replace(case, name=f"{case.name}, gain {gain}", gifted=max(1, case.arms // 3), gain=gain)
    for case in (
        Case("1 arm", 1),
        Case("5 arms", 5),
        Case("15 arms", 15),
        Case("15 arms, seeds matter 8 times as much to one", 15, last=8),
        Case("15 arms, 4 controls", 15, controls=4),
    )
    for gain in GAINS
)


def labels_of(case: Case) -> NDArray[np.int64]:
    """Of the test examples of a simulated run, (N,)."""
    return np.repeat(np.arange(CLASSES), [case.rare] + [MAJORITY] * (CLASSES - 1))


def simulate(rng: np.random.Generator, case: Case, seeds: int) -> dict[str, Evidence]:
    """What a simulated run knows, by metric. The arms are `none` and "1", "2", …"""
    labels = labels_of(case)
    probabilities = _probabilities(rng, case, seeds, labels)
    names = ["none", *map(str, range(1, case.arms + 1))]
    found = {
        name: [Predictions(of_seed, labels, [RARE]) for of_seed in of_arm]
        for name, of_arm in zip(names, probabilities, strict=True)
    }
    known = {
        name: gather({arm: [metric.estimate(one) for one in of_arm] for arm, of_arm in found.items()}, labels)
        for name, metric in METRICS.items()
    }
    if case.collapsing is not None:
        lost = rng.random(seeds) < 0.2
        change = np.where(lost, -0.8, 0.2) * case.collapse
        for metric, evidence_of in known.items():
            share = 1 / CLASSES if metric == DECIDING else 1.0
            evidence_of.values[case.collapsing] += share * change
    return known


def _probabilities(rng: np.random.Generator, case: Case, seeds: int, labels: NDArray[np.int64]) -> NDArray[np.float32]:
    """(A, S, N, K) of the test examples."""
    count, examples = case.arms + 1, len(labels)
    by_seed = case.by_seed * np.exp(BY_SEED_SPREAD * rng.normal(size=count))
    by_seed[0] *= case.base
    by_seed[-1] *= case.last
    by_seed[count - case.noisy_controls :] *= 4.0
    moved = by_seed[:, None] * _alike(rng, case.alike, (2, count, seeds), 1)
    moved += COMMON_BY_SEED * rng.normal(size=(2, 1, seeds))
    gains = np.where((np.arange(count) > 0) & (np.arange(count) <= case.gifted), case.gain, 0.0)
    scores = rng.normal(size=(examples, CLASSES)) + rng.normal(size=(count, seeds, examples, CLASSES))
    scores += ARM_BY_EXAMPLE * _alike(rng, case.alike, (count, 1, examples, CLASSES), 0)
    scores[:, :, np.arange(examples), labels] += np.where(labels == RARE, case.margin, MARGIN)
    scores[:, :, labels == RARE, RARE] += (moved[0] + gains[:, None])[..., None]
    scores[..., RARE] += (case.bias + moved[1])[..., None]
    scores = np.exp(scores - scores.max(axis=3, keepdims=True))
    return (scores / scores.sum(axis=3, keepdims=True)).astype(np.float32)


def _alike(rng: np.random.Generator, share: float, shape: tuple[int, ...], axis: int) -> NDArray[np.float64]:
    """Normal draws of which the arms, along `axis`, share so much variance, all but the first."""
    own = rng.normal(size=shape)
    if not share:
        return own
    common = np.sqrt(1 - share) * own + np.sqrt(share) * rng.normal(size=(*shape[:axis], 1, *shape[axis + 1 :]))
    first = np.arange(shape[axis]).reshape(-1, *[1] * (len(shape) - axis - 1)) == 0
    return np.where(first, own, common)


def judged(known: Mapping[str, Evidence], case: Case) -> dict[str, dict[str, Verdict]]:
    """What is said of every arm, against `none` and against the controls."""
    names = known[KNOWING].names
    seeds = range(known[KNOWING].values.shape[1])
    room = dict.fromkeys(known, 1.0)
    arms, controls = names[1:], names[len(names) - case.controls :]
    found = {"none": judge(known, {arm: ["none"] for arm in arms}, room, seeds)}
    if case.controls:
        rivals = {arm: [one for one in controls if one != arm] for arm in arms}
        found["controls"] = judge(known, rivals, room, seeds)
    return found


def measure(case: Case, seeds: int, runs: int) -> dict[str, Any]:
    """What is said of simulated runs. Shares are of runs where an arm without a gain is told apart, of arms that gain,
    and of intervals that hold the truth."""
    rng = np.random.default_rng([len(case.name), sum(map(ord, case.name)), seeds])
    false: dict[str, list[bool]] = {"none": [], "controls": []}
    shifts, shown, held, detectable = [], [], [], []
    still = [str(arm) for arm in range(case.gifted + 1, case.arms + 1)]
    for _ in range(runs):
        known = simulate(rng, case, seeds)
        found = judged(known, case)
        for base, verdict in found.items():
            false[base].append(any(verdict[arm].word in (HELPS, HURTS, MIXED) for arm in still))
        words = {arm: verdict.word for arm, verdict in found["none"].items()}
        shifts.append(any(words[arm] == SHIFTS for arm in still))
        shown += [words[str(arm)] == HELPS for arm in range(1, case.gifted + 1)]
        for arm in still:
            for metric in COMPARED:
                comparison = found["none"][arm].found[metric]
                held.append(comparison.low <= 0 <= comparison.high)
                detectable.append(comparison.detectable)
    return {
        "case": asdict(case),
        "seeds": seeds,
        "runs": runs,
        "runs_with_a_false_verdict": _rate(false["none"]),
        "runs_with_a_false_verdict_against_controls": _rate(false["controls"]),
        "runs_with_a_false_shift": _rate(shifts),
        "gains_shown": _rate(shown),
        "intervals_that_hold": _rate(held),
        "detectable": round(float(np.median(detectable)), 3) if detectable else None,
    }


def measure_levels(case: Case, seeds: int, runs: int) -> dict[str, Any]:
    """How often the interval of a level holds what the arm reaches on average over all these runs."""
    rng = np.random.default_rng([7, seeds])
    found: dict[str, list[Interval]] = {metric: [] for metric in METRICS}
    labels = labels_of(case)
    for _ in range(runs):
        predicted = [Predictions(one, labels, [RARE]) for one in _probabilities(rng, case, seeds, labels)[0]]
        for name, metric in METRICS.items():
            found[name].append(level([metric.estimate(one) for one in predicted], labels, metric.most, case.rare))
    held = {}
    for name, intervals in found.items():
        truth = np.mean([one.mean for one in intervals])
        held[name] = _rate([bool(one.low <= truth <= one.high) for one in intervals])
    return {"case": asdict(case), "seeds": seeds, "runs": runs, "levels_that_hold": held}


def measure_twins(run_dir: Path) -> list[dict[str, Any]]:
    """What is said of the arms of a real run between which there is no difference, over disjoint groups of seeds."""
    run = Run.read(run_dir)
    twins = [name for name in run.arm_names if not run.is_reference(name)]
    rows = []
    for size in (size for size in SEEDS if size <= len(run.seeds)):
        false: list[bool] = []
        for start in range(0, len(run.seeds) - size + 1, size):
            seeds = run.seeds[start : start + size]
            part = replace(run, run={**run.run, "seeds": seeds})
            known = {metric: evidence(part, twins, metric) for metric in METRICS}
            for a, b in combinations(twins, 2):
                word = judge(known, {a: [b]}, dict.fromkeys(known, 1.0), seeds)[a].word
                false.append(word in (HELPS, HURTS, MIXED, SHIFTS))
        rows.append({"seeds": size, "comparisons": len(false), "called_different": _rate(false)})
    return rows


def measure_halves(run_dir: Path) -> list[dict[str, Any]]:
    """Spearman's rank correlation of the arms' means over the first half of the seeds and over the second.

    Raises FillbenchError where there are no two seeds and two arms.
    """
    run = Run.read(run_dir)
    names = [name for name in run.arm_names if not run.is_reference(name) and not run.missing(name)]
    half = len(run.seeds) // 2
    if not half or len(names) < 2:
        raise FillbenchError(
            f"run '{run_dir}' has no two seeds and two arms of which all went well: nothing to compare"
        )
    rows = []
    for metric in COMPARED:
        values = evidence(run, names, metric).values
        means = [part.mean(axis=1) for part in (values[:, :half], values[:, half : 2 * half])]
        arms = {name: [round(float(of[at]), 4) for of in means] for at, name in enumerate(names)}
        agreement = round(float(spearmanr(*means).statistic), 3)
        rows.append({"metric": metric, "seeds": half, "rank_correlation": agreement, "arms": arms})
    return rows


def _rate(happened: list[bool]) -> float | None:
    return round(float(np.mean(happened)), 4) if happened else None


@click.command()
@click.option("--runs", default=1000, show_default=True, help="Simulated runs of each case and number of seeds.")
@click.option("--workers", default=2, show_default=True, help="Processes.")
@click.option("--out", type=Path, help="Where to write the record, as JSON.")
@click.option("--twins", type=Path, help="A run folder whose arms are the same but for their name.")
@click.option("--halves", type=Path, help="A run folder with twice the seeds of the one to be judged.")
def main(runs: int, workers: int, out: Path | None, twins: Path | None, halves: Path | None) -> None:
    """Measures on simulated runs, or on a run of twins, how often the report's verdicts are right."""
    for run_dir, measured in ((twins, measure_twins), (halves, measure_halves)):
        if run_dir:
            rows = measured(run_dir)
            click.echo("\n".join(map(_line, rows)))
            _tell({"command": Run.read(run_dir).run["command"], "rows": rows}, out)
            return
    start = time.perf_counter()
    with ProcessPoolExecutor(workers) as pool:
        jobs = [pool.submit(measure, case, seeds, runs) for case in NULL for seeds in SEEDS]
        jobs += [pool.submit(measure, case, seeds, max(1, runs // 4)) for case in POWER for seeds in SEEDS]
        jobs += [pool.submit(measure_levels, Case("1 arm", 1), seeds, runs) for seeds in SEEDS]
        rows = []
        for job in jobs:
            rows.append(job.result())
            click.echo(_line(rows[-1]))
    _tell({"seconds": round(time.perf_counter() - start), "rows": rows}, out)


def _line(row: dict[str, Any]) -> str:
    return "  ".join(f"{key} {value['name'] if key == 'case' else value}" for key, value in row.items())


def _tell(record: dict[str, Any], out: Path | None) -> None:
    if out:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
