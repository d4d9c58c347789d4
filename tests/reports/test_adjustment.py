from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import softmax
from scipy.stats import binomtest

from fillbench.reports.adjustment import adjusted, shift_of
from fillbench.reports.leaderboard import leaderboard
from fillbench.reports.records import Run


@given(st.integers(0, 10_000), st.lists(st.integers(0, 5000), min_size=2, max_size=6))
def test_adjusted_probabilities_are_the_softmax_of_shifted_logits_and_add_up_to_one(seed, counts):
    logits = np.random.default_rng(seed).normal(0, 4, (2, 20, len(counts)))
    found = adjusted(softmax(logits, axis=-1).astype(np.float32), counts)
    assert (found.dtype, shift_of(counts).dtype) == (np.float32, np.float32)
    np.testing.assert_allclose(found, softmax(logits - shift_of(counts), axis=-1), rtol=1e-4, atol=1e-7)
    np.testing.assert_allclose(found.sum(-1), 1, rtol=1e-6)


def test_equal_counts_change_nothing():
    probabilities = np.random.default_rng(0).dirichlet(np.ones(3), 20).astype(np.float32)
    np.testing.assert_allclose(adjusted(probabilities, [7, 7, 7]), probabilities, rtol=1e-6)


@pytest.fixture
def board(fake):
    """Arms that call nothing rare, and would if its probability of 0.2 were held against few training examples."""
    run = fake(classes=2, minority=[1], seeds=[0, 1], arms=[(arm, 0, ()) for arm in ("none", "full", "none+mixup")])
    run.plan()
    plan = json.loads((run.path / "run.json").read_text())
    for arm in plan["arms"]:
        arm["strategy"] = "mixup" if arm["name"].endswith("mixup") else "ce"
    run.plan(arms=plan["arms"])
    for arm in run.table:
        for seed in run.seeds:
            run.cell(arm, seed, counts_after=[180, 180] if arm == "full" else [180, 18])
            rare = np.repeat([0.01, 0.2], 100)
            of_one, of_other = (np.stack([1 - p, p], axis=1) for p in (rare, 0 * rare))
            file = run.path / "predictions" / f"{arm}-seed{seed}.npz"
            np.savez(file, probabilities=np.stack([of_one, of_other]).astype(np.float32))
    return leaderboard(Run.read(run.path)).set_index("arm")


def test_an_arm_is_adjusted_by_what_its_classifiers_were_trained_on_each_by_itself(board):
    assert board["minority_recall_mean"].tolist() == [0, 0, 0]
    assert board.loc["none", "adjusted_minority_recall_mean"] == 0.5, "all of one classifier, none of the other"
    assert board.loc["none", "adjusted_balanced_accuracy_mean"] == 0.75
    exact = binomtest(50, 100).proportion_ci(0.95, "exact")  # no seed and no image varies, so what 100 images can tell
    assert board.loc["none", "adjusted_minority_recall_ci_low"] == pytest.approx(exact.low)
    assert board.loc["none", "adjusted_minority_recall_ci_high"] == pytest.approx(exact.high)
    assert board.loc["full", "adjusted_minority_recall_mean"] == 0, "its classes are equally frequent"


def test_an_arm_under_another_strategy_is_not_adjusted(board):
    assert board.loc["none+mixup"].filter(like="adjusted_").isna().all()
