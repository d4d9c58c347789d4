"""What a change of thresholds alone would give: probabilities adjusted for the classes' shares in training."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..records import Record
from .estimates import Estimate, Predictions, averaged
from .metrics import METRICS
from .records import Run

PLAIN = "ce"  # the strategy whose probabilities have the training's shares in them
AFTER = ("balanced_accuracy", "minority_recall")
# Of the training examples of each class, (K,); none counts as one.
Counts = Sequence[float] | NDArray[np.int64] | NDArray[np.float64]


def trained_on(record: Record) -> Counts:
    """(K,): how much of each class a cell's classifiers were trained on."""
    return record.get("weighted_counts", record["counts_after"])


def adjusted(probabilities: NDArray[np.float32], counts: Counts) -> NDArray[np.float32]:
    """Probabilities (…, K) after post-hoc logit adjustment with τ = 1 (Menon et al. 2021, "Long-tail learning via logit
    adjustment"): divided by the classes' shares, and made to add up to 1. No logits are needed for it."""
    weighted = probabilities / _shares(counts)
    return (weighted / weighted.sum(-1, keepdims=True)).astype(np.float32)


def shift_of(counts: Counts) -> NDArray[np.float32]:
    """(K,): what to take off the logits for the same."""
    return np.log(_shares(counts)).astype(np.float32)


def after_adjustment(run: Run, arm: str) -> dict[str, list[Estimate]]:
    """The metrics AFTER of an arm whose predictions are adjusted, by seed, averaged over classifiers: what of its gain
    is more than another threshold, which is free. None of an arm under another strategy than plain cross-entropy, or
    without predictions."""
    found: dict[str, list[Estimate]] = {name: [] for name in AFTER}
    for record in run.ok(arm) if run.arm(arm)["strategy"] == PLAIN else ():
        predicted = run.predictions(record)
        if not predicted:
            continue
        moved = [adjusted(one.probabilities, trained_on(record)) for one in predicted]
        each = [Predictions(one, run.test_labels, run.minority) for one in moved]
        for metric in METRICS:
            if metric.name in AFTER:
                found[metric.name].append(averaged(map(metric.estimate, each)))
    return found


def _shares(counts: Counts) -> NDArray[np.float64]:
    at_least_one = np.maximum(counts, 1)
    return at_least_one / at_least_one.sum()
