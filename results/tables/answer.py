"""Which claims of the published comparison stand: `python results/tables/answer.py RUN_DIR... [--published TSV]`.

Its metrics are made again from the predictions of the runs: of the rare class, at the classifier's own decisions. Gains
are paired by seed against no filling, with 95 % intervals over the seeds. PUBLISHED is its table, by data set and arm.
"""

import argparse
import csv
from pathlib import Path

import numpy as np
from scipy.stats import t
from sklearn.metrics import balanced_accuracy_score, f1_score, precision_score, recall_score

from fillbench.reports.records import Run

ARMS = {  # as the published table calls them
    "none": "No-oversampling",
    "smote": "SMOTE",
    "borderline-smote": "Borderline-SMOTE",
    "adasyn": "ADASYN",
    "gan": "DCGAN",
    "smote-gan": "SMOTE_DCGAN",
    "bsmote-gan": "BSMOTE_DCGAN",
    "adasyn-gan": "ADASYN_DCGAN",
    "wgan-gp": "WGANGP",
    "smote-wgan-gp": "SMOTE_WGANGP",
    "bsmote-wgan-gp": "BSMOTE_WGANGP",
    "adasyn-wgan-gp": "ADASYN_WGANGP",
}
METRICS = ("precision", "recall", "f1", "gmean", "balanced_accuracy")
F1 = METRICS.index("f1")


def scores(run, arm):
    """(seeds, METRICS) of an arm."""
    found = []
    for record in run.ok(arm):
        guess, labels = run.predictions(record)[0].guess, run.test_labels
        rare = run.minority[0]
        options = {"pos_label": rare, "zero_division": 0}
        recalls = recall_score(labels, guess, labels=[0, 1], average=None)
        found.append(
            [
                precision_score(labels, guess, **options),
                recall_score(labels, guess, pos_label=rare),
                f1_score(labels, guess, **options),
                float(np.sqrt(recalls.prod())),
                balanced_accuracy_score(labels, guess),
            ]
        )
    return np.array(found)


def gain(values, floor):
    """The mean difference by seed, and its 95 % interval."""
    off = values - floor
    reach = t.ppf(0.975, len(off) - 1) * off.std(ddof=1) / np.sqrt(len(off))
    return off.mean(), off.mean() - reach, off.mean() + reach


def table(head, rows):
    return "\n".join(
        [f"| {' | '.join(head)} |", f"|{' --- |' * len(head)}", *(f"| {' | '.join(row)} |" for row in rows)]
    )


def board_of(path):
    with (path / "leaderboard.csv").open() as file:
        return {row["arm"]: row for row in csv.DictReader(file)}


def measured(path):
    """A table of all arms, by balanced accuracy."""
    run, board = Run.read(path), board_of(path)
    rows = []
    for arm in sorted(board, key=lambda one: -float(board[one]["balanced_accuracy_mean"])):
        values = [f"{mean:.3f}" for mean in scores(run, arm).mean(0)]
        ours = [f"{float(board[arm][f'{name}_mean']):.3f}" for name in ("rare_ap", "brier")]
        verdicts = [board[arm][f"verdict_vs_{base}"] or "-" for base in ("none", "controls")]
        rows.append([f"`{arm}`", *values, *ours, *verdicts])
    return table(["arm", *METRICS, "rare AP", "Brier", "against none", "against every control"], rows)


def claims(path, published):
    """Of the arms that published a gain in F1: that gain, ours, and whether it stands."""
    run = Run.read(path)
    name, floor = run.dataset["name"], scores(run, run.floor)[:, F1]
    rows = []
    for arm, called in ARMS.items():
        claim = float(published[name, called]["f1"]) - float(published[name, ARMS["none"]]["f1"])
        if claim > 0:
            mean, low, high = gain(scores(run, arm)[:, F1], floor)
            word = "stands" if low > 0 else "the other way" if high < 0 else "not shown"
            rows.append([f"`{arm}`", f"{claim:+.3f}", f"{mean:+.3f} [{low:+.3f}, {high:+.3f}]", word])
    return table(["arm", "published gain in F1", "ours", "claim"], rows)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("runs", nargs="+", type=Path)
    parser.add_argument("--published", type=Path)
    options = parser.parse_args()
    for path in options.runs:
        print(f"## {Run.read(path).dataset['name']}\n\n{measured(path)}\n")
        if options.published:
            with options.published.open() as file:
                rows = {(row["dataset"], row["arm"]): row for row in csv.DictReader(file, delimiter="\t")}
            print(f"{claims(path, rows)}\n")


if __name__ == "__main__":
    main()
