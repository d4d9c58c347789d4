from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from imblearn.metrics import geometric_mean_score
from sklearn import metrics as sk

from fillbench.benchmark.metrics import METRICS, averaged, described, evaluate
from fillbench.datasets import ImageTraits


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 5))
def test_metrics_agree_with_scikit_learn(seed, classes):
    rng = np.random.default_rng(seed)
    labels = np.concatenate([np.arange(classes), rng.integers(0, classes, 40)])
    probabilities = rng.dirichlet(np.ones(classes), len(labels)).astype(np.float32)
    guess = probabilities.argmax(1)
    found = evaluate(probabilities, labels, [classes - 1])
    recall = sk.recall_score(labels, guess, average=None, zero_division=0)
    auroc = np.mean([sk.roc_auc_score(labels == k, probabilities[:, k]) for k in range(classes)])
    expected = {
        "minority_recall": recall[-1],
        "minority_precision": sk.precision_score(labels, guess, average=None, zero_division=0)[-1],
        "minority_f1": sk.f1_score(labels, guess, average=None, zero_division=0)[-1],
        "macro_f1": sk.f1_score(labels, guess, average="macro", zero_division=0),
        "weighted_f1": sk.f1_score(labels, guess, average="weighted", zero_division=0),
        "balanced_accuracy": sk.balanced_accuracy_score(labels, guess),
        "accuracy": sk.accuracy_score(labels, guess),
        "g_mean": geometric_mean_score(labels, guess),
        "auroc": auroc,
        "majority_recall": recall[:-1].mean(),
    }
    assert found["metrics"] == pytest.approx(expected, abs=1e-5)
    assert found["confusion_matrix"] == sk.confusion_matrix(labels, guess).tolist()
    assert found["per_class"]["recall"] == pytest.approx(recall.tolist(), abs=1e-6)


def test_high_accuracy_does_not_hide_a_lost_minority():
    labels = np.repeat([0, 1], [95, 5])
    probabilities = np.tile(np.array([[0.9, 0.1]], np.float32), (100, 1))
    found = evaluate(probabilities, labels, [1])["metrics"]
    assert found["accuracy"] == pytest.approx(0.95)
    assert found["minority_recall"] == found["g_mean"] == 0


def test_several_minority_classes_are_averaged():
    labels = np.array([0, 1, 2, 2])
    probabilities = np.eye(3, dtype=np.float32)[[0, 1, 2, 0]]
    assert evaluate(probabilities, labels, [1, 2])["metrics"]["minority_recall"] == pytest.approx(0.75)


def test_over_classifier_seeds_figures_are_averaged_and_matrices_summed():
    rng = np.random.default_rng(0)
    labels = np.arange(30) % 3
    each = [evaluate(rng.dirichlet(np.ones(3), 30).astype(np.float32), labels, [2]) for _ in range(2)]
    found = averaged(each)
    for name, value in found["metrics"].items():
        assert value == pytest.approx((each[0]["metrics"][name] + each[1]["metrics"][name]) / 2)
    assert np.sum(found["confusion_matrix"]) == 60
    assert averaged(each[:1]) == each[0]


def test_the_table_of_metrics_is_described_in_the_words_of_the_data():
    table = {one["name"]: one for one in described(ImageTraits())}
    assert list(table) == [metric.name for metric in METRICS]
    assert table["accuracy"]["meaning"] == "share of all test images; hides a lost rare class"
    assert not any("{" in one["meaning"] for one in table.values())


def test_a_metric_that_no_threshold_moves_is_the_same_after_moving_it():
    rng = np.random.default_rng(0)
    labels = np.arange(60) % 2
    rare = rng.random(60).astype(np.float32)
    moved = rare**3
    before, after = (evaluate(np.stack([1 - of, of], axis=1), labels, [1])["metrics"] for of in (rare, moved))
    same = {metric.name for metric in METRICS if not metric.threshold}
    assert same == {name for name in before if before[name] == pytest.approx(after[name], abs=1e-6)}
