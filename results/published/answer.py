"""Which published gains on images are found again: `python results/published/answer.py RUN_DIR...`.

Accuracy and the recall of the rare classes are made again from the predictions of the runs, at each classifier's own
decisions; differences are paired by seed against no filling, with 95 % intervals over the seeds.
"""

import argparse
from pathlib import Path

import numpy as np
from scipy.stats import t

from fillbench.reports.leaderboard import leaderboard
from fillbench.reports.records import Run

RECALL, ACCURACY = "minority recall", "accuracy"
CLAIMS = {  # by the run's folder: which metric, and by arm what was published, without filling and with it
    "mnist-zero": (RECALL, {"gan": (0.9704, 0.9745), "dcgan": (0.9704, 0.9745), "cgan": (0.9704, 0.9724)}),
    "cifar10-three": (ACCURACY, {"cgan": (0.683, 0.699)}),
    "cifar10-cat": (ACCURACY, {"classical": (None, 0.8540), "gan": (None, 0.8556)}),
}
HEADS = (
    "arm",
    "published",
    "found",
    "its gain",
    "rare AP",
    "its gain",
    "against none",
    "against every control",
    "flags",
)


def decided(run, arm, metric):
    """(seeds,): the accuracy, or the mean recall of the rare classes, of an arm."""
    found = []
    for record in run.ok(arm):
        right = run.right(record)[0]
        own = [right[run.test_labels == label].mean() for label in run.minority]
        found.append(right.mean() if metric == ACCURACY else np.mean(own))
    return np.array(found)


def with_interval(mean, low, high):
    return f"{mean:+.4f} [{low:+.4f}, {high:+.4f}]"


def gain(values, floor):
    """The mean difference by seed, and its 95 % interval."""
    off = values - floor
    reach = t.ppf(0.975, len(off) - 1) * off.std(ddof=1) / np.sqrt(len(off))
    return with_interval(off.mean(), off.mean() - reach, off.mean() + reach)


def published(before, after):
    if after is None:
        return ""
    return f"{after:.4f}" + ("" if before is None else f" ({after - before:+.4f})")


def cells(run, row, metric, claimed, floor):
    """One arm as a line of the table."""
    arm, own = row["arm"], decided(run, row["arm"], metric)
    knows = [row[f"vs_none_knowing_{part}"] for part in ("mean", "ci_low", "ci_high")]
    return [
        f"`{arm}`",
        published(*claimed.get(arm, (None, None))),
        f"{own.mean():.4f}",
        "" if arm == "none" else gain(own, floor),
        f"{row['rare_ap_mean']:.4f}",
        "" if arm == "none" else with_interval(*knows),
        row["verdict_vs_none"] or "-",
        row["verdict_vs_controls"] or "-",
        row["flags"],
    ]


def answer(path):
    """A section for one run, as Markdown."""
    run = Run.read(path)
    metric, claimed = CLAIMS.get(path.name, (RECALL, {}))
    floor = decided(run, "none", metric)
    print(f"\n## {path.name}\n\n`{run.run['command']}`\n\nPublished and found: {metric}.\n")
    print(f"| {' | '.join(HEADS)} |\n|{' --- |' * len(HEADS)}")
    for row in leaderboard(run).to_dict("records"):
        if row["status"] == "ok":
            print(f"| {' | '.join(cells(run, row, metric, claimed, floor))} |")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", nargs="+", type=Path)
    for one in parser.parse_args().runs:
        answer(one)
