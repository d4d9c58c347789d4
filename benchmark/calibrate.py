"""Measures on simulated runs, where the truth is known, how often the report's comparisons are right.

    python -m fillbench.benchmark.calibrate [--out FILE.json] [--twins RUN_DIR]

With `--twins`, on a real run whose arms are the same but for their name and their generator's draws.
A simulated run has one minority class of 87 test images, as the digits have, of which `none` recognises half. An image
is recognised where a normal score is above 0: the image's difficulty + what the seed does to all arms + what it does
to this arm + what this arm makes of the image + chance + the arm's gain. What the seed does to an arm differs from arm
to arm: a standard deviation of about 0.08 in recall, much as in results/digits, log-normal with a factor of 1.6. All is
drawn anew for each arm, so that arms without a gain differ by chance only, but do differ in every single run.
Every arm is compared with `none`, or where a case has controls, with the control that has the highest mean. Last come
the gains that the comparisons say they can detect: four in five of them, or more, are to be shown.
"""

from __future__ import annotations

import json
import time
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

import click
import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtri

from ..reports.comparisons import NO_DIFFERENCE, Comparison, Outcomes, compare
from ..reports.records import Run

IMAGES, SEEDS, GAINS = 87, (3, 5, 10), (0.0, 0.05, 0.1, 0.2, 0.3)
SEED_EFFECT, ARM_BY_SEED, ARM_BY_SEED_SPREAD, ARM_BY_IMAGE = 0.1, 0.25, 0.5, 0.5


class Case(NamedTuple):
    """`gifted` of `arms` have the gain, the others have none; the last `controls` of them are controls.

    `base` is how much more seeds matter to `none`, `unstable` how much more to the last arm, `by_seed` how much to all.
    """

    name: str
    arms: int
    gifted: int
    base: float = 1.0
    unstable: float = 1.0
    by_seed: float = ARM_BY_SEED
    controls: int = 0


PAIR, FAMILY = Case("pair", 1, 1), Case("family", 15, 5)
ODD = (
    Case("family, seeds matter 2.5 times as much to the base", 15, 0, base=2.5),
    Case("family, seeds matter 3 times as much to one arm", 15, 0, unstable=3),
    Case("family, seeds matter 8 times as much to one arm", 15, 0, unstable=8),
    Case("5 quiet arms, seeds matter 8 times as much to one", 5, 0, unstable=8, by_seed=0.1),
)
CHOSEN = tuple(Case(f"family, against the best of {count} controls", 15, 5, controls=count) for count in (3, 8))


def simulate(rng: np.random.Generator, case: Case, seeds: int, gain: float) -> dict[str, Outcomes]:
    """The outcomes of `none` and of `case.arms` arms, the first `case.gifted` of which recognise `gain` more."""
    count = case.arms + 1
    by_seed = case.by_seed * np.exp(ARM_BY_SEED_SPREAD * rng.normal(size=count))
    by_seed[0] *= case.base
    by_seed[-1] *= case.unstable
    gains = np.zeros(count)
    gains[1 : 1 + case.gifted] = gain
    # The recall over all seeds and images is that of a normal score with all variances together.
    shift = np.sqrt(2 + SEED_EFFECT**2 + by_seed**2 + ARM_BY_IMAGE**2) * ndtri(0.5 + gains)
    score = (
        rng.normal(size=IMAGES) + SEED_EFFECT * rng.normal(size=(seeds, 1)) + rng.normal(size=(count, seeds, IMAGES))
    )
    score += shift[:, None, None] + by_seed[:, None, None] * rng.normal(size=(count, seeds, 1))
    score += ARM_BY_IMAGE * rng.normal(size=(count, 1, IMAGES))
    names = ["none", *map(str, range(case.arms))]
    return {name: dict(enumerate(hits)) for name, hits in zip(names, (score > 0).astype(float), strict=True)}


def measure(case: Case, seeds: int, gain: float, runs: int) -> dict[str, Any]:
    """What `compare` says of simulated runs; rates are shares of comparisons, of runs where the name says so."""
    rng = np.random.default_rng([case.arms, int(10 * case.base), seeds, round(100 * gain)])
    found = [_compared(simulate(rng, case, seeds, gain), case, gain) for _ in range(runs)]
    every = [one for run in found for one in run]
    false = [[result.verdict != NO_DIFFERENCE for result, truth in run if not truth] for run in found]
    return {
        "case": case.name,
        "seeds": seeds,
        "gain": gain,
        "runs": runs,
        "comparisons": len(every),
        "gains_shown": _rate([result.verdict == "helps" for result, truth in every if truth]),
        "false_differences": _rate([one for run in false for one in run]),
        "runs_with_a_false_difference": _rate([any(run) for run in false if run]),
        "p_below_0.05_without_a_gain": _rate([result.p < 0.05 for result, truth in every if not truth]),
        "coverage": _rate([_covers(result, truth) for result, truth in every]),
        "detectable": round(float(np.mean([result.detectable for result, _ in every])), 3),
    }


def _compared(run: dict[str, Outcomes], case: Case, gain: float) -> list[tuple[Comparison, float]]:
    """What is said of the arms of a simulated run, each with the true difference."""
    arms, base = [name for name in run if name != "none"], "none"
    if case.controls:
        base = max(arms[-case.controls :], key=lambda name: float(np.mean(list(run[name].values()))))
    pairs = [(arm, base) for arm in arms if arm != base]
    found = compare(run, pairs, np.zeros(IMAGES, dtype=int), selected_from=max(1, case.controls))
    return [(one, gain if int(arm) < case.gifted else 0.0) for (arm, _), one in zip(pairs, found, strict=True)]


def measure_twins(run_dir: Path) -> list[dict[str, Any]]:
    """What is said of the arms of a real run between which there is no difference, over disjoint groups of seeds.

    Each two arms alone, as in the simulated pairs, and all of them as one family.
    """
    run = Run.read(run_dir)
    twins = {name: run.recognised(name) for name in run.arm_names if not run.is_reference(name)}
    rows = []
    for size in (size for size in SEEDS if size <= len(run.seeds)):
        groups = [run.seeds[start : start + size] for start in range(0, len(run.seeds) - size + 1, size)]
        parts = [{name: {seed: arm[seed] for seed in group} for name, arm in twins.items()} for group in groups]
        pairs = list(combinations(twins, 2))
        alone = [
            compare({a: part[a], b: part[b]}, [(a, b)], run.minority_labels)[0] for part in parts for a, b in pairs
        ]
        families = [compare(part, pairs, run.minority_labels) for part in parts]
        rows.append(
            {
                "seeds": size,
                "comparisons": len(alone),
                "pair_false_differences": _rate([found.verdict != NO_DIFFERENCE for found in alone]),
                "family_p_below_0.05": _rate([found.p < 0.05 for family in families for found in family]),
                "families": len(families),
                "families_with_a_false_difference": _rate(
                    [any(found.verdict != NO_DIFFERENCE for found in family) for family in families]
                ),
            }
        )
    return rows


def _count(runs: int, case: Case, gain: float) -> int:
    """A family has many comparisons, and a rate of gains shown need not be as exact as one of false differences."""
    of = {PAIR.name: 1, FAMILY.name: 2}.get(case.name, 4)
    return max(1, runs // of // (5 if gain else 1))


def _rate(happened: ArrayLike) -> float | None:
    flags = np.asarray(happened, dtype=float)
    return round(float(flags.mean()), 4) if flags.size else None


def _covers(result: Comparison, truth: float) -> bool:
    return result.low <= truth <= result.high


@click.command()
@click.option("--runs", default=1000, show_default=True, help="Simulated pairs without a gain; the rest follows.")
@click.option("--out", type=Path, help="Where to write the record, as JSON.")
@click.option("--twins", type=Path, help="A run folder whose arms are the same but for their name.")
def main(runs: int, out: Path | None, twins: Path | None) -> None:
    """Measures on simulated runs, or on a run of twins, how often the report's comparisons are right."""
    if twins:
        _tell({"command": Run.read(twins).run["command"], "rows": measure_twins(twins)}, out)
        return
    start = time.perf_counter()
    plan = [(case, gain) for case in (PAIR, FAMILY) for gain in GAINS]
    plan += [(case, 0.0) for case in (*ODD, *CHOSEN)] + [(case, 0.2) for case in CHOSEN]
    rows = [measure(case, seeds, gain, _count(runs, case, gain)) for case, gain in plan for seeds in SEEDS]
    for case in (PAIR, FAMILY):
        for seeds in SEEDS:
            said = next(row["detectable"] for row in rows if (row["case"], row["seeds"]) == (case.name, seeds))
            if said < 0.5:  # `none` recognises half
                rows.append(measure(case, seeds, said, _count(runs, case, said)))
    _tell({"images": IMAGES, "rows": rows}, out)
    click.echo(f"{time.perf_counter() - start:.0f} seconds")


def _tell(record: dict[str, Any], out: Path | None) -> None:
    for row in record["rows"]:
        click.echo("  ".join(f"{key} {value}" for key, value in row.items()))
    if out:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
