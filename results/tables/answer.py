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
OF_GAIN = ("gain in F1", "published gain", "claim", "rare AP", "against none", "against controls")
METRICS = ("precision", "recall", "f1", "gmean", "balanced_accuracy")


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


def word(low, high):
    return "stands" if low > 0 else "the other way" if high < 0 else "not shown"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("runs", nargs="+", type=Path)
    parser.add_argument("--published", type=Path)
    options = parser.parse_args()
    published = {}
    if options.published:
        with options.published.open() as file:
            published = {(row["dataset"], row["arm"]): row for row in csv.DictReader(file, delimiter="\t")}
    for path in options.runs:
        run = Run.read(path)
        name = run.dataset["name"]
        board = {row["arm"]: row for row in csv.DictReader((path / "leaderboard.csv").open())}
        floor = scores(run, run.floor)
        print(f"## {name}\n")
        columns = ["arm", *METRICS, *OF_GAIN]
        print(f"| {' | '.join(columns)} |\n|{' --- |' * len(columns)}")
        for arm in sorted(board, key=lambda one: -float(board[one]["balanced_accuracy_mean"] or "nan")):
            values = scores(run, arm)
            cells = [f"{mean:.3f}" for mean in values.mean(0)]
            mean, low, high = gain(values[:, 2], floor[:, 2])
            told = [published.get((name, one)) for one in (ARMS.get(arm), ARMS["none"])]
            claim = float(told[0]["f1"]) - float(told[1]["f1"]) if all(told) and arm != "none" else None
            cells += [f"{mean:+.3f} [{low:+.3f}, {high:+.3f}]" if arm != "none" else "-"]
            cells += [f"{claim:+.3f}", word(low, high) if claim > 0 else ""] if claim is not None else ["", ""]
            row = board[arm]
            cells += [
                f"{float(row['rare_ap_mean']):.3f}",
                row["verdict_vs_none"] or "-",
                row["verdict_vs_controls"] or "-",
            ]
            print(f"| `{arm}` | {' | '.join(cells)} |")
        print()


if __name__ == "__main__":
    main()
