from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk
from torchmetrics.functional.classification import multiclass_calibration_error

from fillbench.reports.metrics import METRICS, described, evaluate, mean_scores

EPS = np.finfo(np.float32).eps


def drawn(seed, classes, count=40, digits=7):
    """Probabilities and labels of which every class has one; few digits make ties, and rows that do not add up to 1."""
    rng = np.random.default_rng(seed)
    labels = np.concatenate([np.arange(classes), rng.integers(0, classes, count)])
    return rng.dirichlet(np.ones(classes), len(labels)).round(digits).astype(np.float32), labels


def recall_at_p95(truth, scores):
    precision, recall, _ = sk.precision_recall_curve(truth, scores)
    return recall[precision >= 0.95].max()  # the curve ends at a precision of 1 and a recall of 0


def oracle(probabilities, labels, minority):
    """What scikit-learn, imbalanced-learn and torchmetrics say; every class must have an example."""
    guess, classes = probabilities.argmax(1), probabilities.shape[1]
    rare = np.isin(np.arange(classes), minority)
    per_class = {"labels": range(classes), "average": None, "zero_division": 0}
    recall, precision, f1 = (
        score(labels, guess, **per_class) for score in (sk.recall_score, sk.precision_score, sk.f1_score)
    )
    each = [(labels == k, probabilities[:, k]) for k in range(classes)]
    ece = multiclass_calibration_error(torch.tensor(probabilities), torch.tensor(labels), classes, n_bins=15)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The y_prob values do not sum to one")
        log_loss = sk.log_loss(labels, probabilities, labels=range(classes))
    return {
        "minority_recall": recall[rare].mean(),
        "rare_ap": np.mean([sk.average_precision_score(*each[k]) for k in minority]),
        "balanced_accuracy": sk.balanced_accuracy_score(labels, guess),
        "majority_recall": recall[~rare].mean(),
        "minority_precision": precision[rare].mean(),
        "minority_f1": f1[rare].mean(),
        "rare_recall_at_p95": np.mean([recall_at_p95(*each[k]) for k in minority]),
        "macro_f1": f1.mean(),
        "accuracy": sk.accuracy_score(labels, guess),
        "auroc": np.mean([sk.roc_auc_score(*one) for one in each]),
        "brier": ((probabilities - np.eye(classes)[labels]) ** 2).sum(1).mean(),
        "log_loss": log_loss,
        "ece": float(ece),
    }


@settings(max_examples=60)
@given(st.integers(0, 10_000), st.integers(2, 6), st.sampled_from([1, 2, 7]))
def test_every_metric_agrees_with_scikit_learn_with_and_without_ties(seed, classes, digits):
    probabilities, labels = drawn(seed, classes, digits=digits)
    minority = list(range(classes // 2, classes))
    found = evaluate(probabilities, labels, minority)
    expected = oracle(probabilities, labels, minority)
    if digits < 7:
        del expected["ece"]  # its bins have open ends where torchmetrics' have closed ones, and back
    assert {name: found["metrics"][name] for name in expected} == pytest.approx(expected, abs=2e-6)
    guess = probabilities.argmax(1)
    assert found["confusion_matrix"] == sk.confusion_matrix(labels, guess, labels=range(classes)).tolist()
    assert found["per_class"]["recall"] == pytest.approx(sk.recall_score(labels, guess, average=None).tolist())


@pytest.mark.parametrize("called", ["rare", "true", "wrong", "tied"])
def test_every_metric_agrees_with_scikit_learn_on_degenerate_predictions(called):
    labels = np.repeat([0, 1, 2], [50, 30, 5])
    guesses = {"rare": np.full(85, 2), "true": labels, "wrong": (labels + 1) % 3}
    probabilities = np.full((85, 3), 1 / 3) if called == "tied" else np.eye(3)[guesses[called]]
    probabilities = probabilities.astype(np.float32)
    found = evaluate(probabilities, labels, [2])["metrics"]
    assert found == pytest.approx(oracle(probabilities, labels, [2]), abs=2e-6)
    if called == "rare":
        assert (found["minority_recall"], found["majority_recall"], found["rare_recall_at_p95"]) == (1, 0, 0)
        assert found["rare_ap"] == pytest.approx(5 / 85)
        assert found["log_loss"] == pytest.approx(-80 / 85 * np.log(EPS), rel=1e-6)


def test_scikit_learn_has_the_same_brier_score_of_several_classes():
    probabilities, labels = drawn(0, 4)
    expected = sk.brier_score_loss(labels, probabilities, labels=range(4), scale_by_half=False)
    assert evaluate(probabilities, labels, [3])["metrics"]["brier"] == pytest.approx(expected, rel=1e-6)


def test_a_class_without_test_examples_leaves_null_what_is_averaged_over_it_and_nothing_else():
    probabilities, labels = drawn(0, 4)
    probabilities, labels = probabilities[labels < 3], labels[labels < 3]
    of_all = {"balanced_accuracy", "macro_f1", "auroc"}
    of_rare = {name for metric in METRICS if (name := metric.name).startswith(("minority_", "rare_"))}
    cases = ((3, of_all | of_rare), (2, of_all | {"majority_recall"}))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for rare, expected in cases:
            found = evaluate(probabilities, labels, [rare])
            assert {name for name, value in found["metrics"].items() if value is None} == expected
            assert [value is None for value in found["per_class"]["recall"]] == [False, False, False, True]
    both = mean_scores([found, found])
    assert both["metrics"] == pytest.approx(found["metrics"])
    assert both["per_class"] == found["per_class"]


def test_a_softmax_that_is_rounded_to_more_than_one_is_in_the_last_bin():
    probabilities = np.array([[np.nextafter(np.float32(1), np.float32(2)), 0], [0.99, 0.01]], np.float32)
    assert evaluate(probabilities, np.array([0, 1]), [1])["metrics"]["ece"] == pytest.approx(0.99 / 2, abs=1e-6)


def test_high_accuracy_does_not_hide_a_lost_minority():
    labels = np.repeat([0, 1], [95, 5])
    probabilities = np.tile(np.array([[0.9, 0.1]], np.float32), (100, 1))
    found = evaluate(probabilities, labels, [1])["metrics"]
    assert found["accuracy"] == pytest.approx(0.95)
    assert found["minority_recall"] == 0


def test_several_minority_classes_are_averaged():
    labels = np.array([0, 1, 2, 2])
    probabilities = np.eye(3, dtype=np.float32)[[0, 1, 2, 0]]
    assert evaluate(probabilities, labels, [1, 2])["metrics"]["minority_recall"] == pytest.approx(0.75)


def test_over_classifier_seeds_figures_are_averaged_and_matrices_summed():
    labels = drawn(0, 3)[1]
    each = [evaluate(drawn(seed, 3)[0], labels, [2]) for seed in range(2)]
    found = mean_scores(each)
    for name, value in found["metrics"].items():
        assert value == pytest.approx((each[0]["metrics"][name] + each[1]["metrics"][name]) / 2)
    assert np.sum(found["confusion_matrix"]) == 2 * len(labels)
    assert mean_scores(each[:1]) == each[0]


def test_the_table_of_metrics_is_described_in_the_words_of_the_data():
    table = {one["name"]: one for one in described(lambda text: text.format(plural="rows"))}
    assert list(table) == [metric.name for metric in METRICS]
    assert table["accuracy"]["meaning"] == "share of all test rows; hides a lost rare class"
    assert not any("{" in one["meaning"] for one in table.values())
    assert {name for name, one in table.items() if not one["higher_is_better"]} == {"brier", "log_loss", "ece"}


def test_what_a_threshold_moves_is_what_knows_the_decisions_only():
    probabilities, labels = drawn(0, 3)
    decided = np.eye(3, dtype=np.float32)[probabilities.argmax(1)]
    known, told = (evaluate(of, labels, [1, 2])["metrics"] for of in (probabilities, decided))
    same = {name for name in known if known[name] == pytest.approx(told[name], abs=1e-9)}
    assert same == {metric.name for metric in METRICS if metric.threshold}


def test_thresholds_move_what_is_decided_and_no_probability():
    probabilities, labels = drawn(0, 3)
    thresholds = np.array([0.6, 0.3, 0.1])
    plain, moved = (evaluate(probabilities, labels, [1, 2], by) for by in (None, thresholds))
    moving = {name for name, value in plain["metrics"].items() if value != moved["metrics"][name]}
    assert moving == {metric.name for metric in METRICS if metric.threshold}
    guess = (probabilities / thresholds).argmax(1)
    assert moved["confusion_matrix"] == sk.confusion_matrix(labels, guess, labels=range(3)).tolist()
    assert moved["metrics"]["balanced_accuracy"] == pytest.approx(sk.balanced_accuracy_score(labels, guess))
    assert evaluate(probabilities, labels, [1, 2], np.full(3, 0.5)) == plain


def test_the_threshold_of_two_classes_is_where_the_second_is_decided():
    probabilities = np.array([[0.8, 0.2], [0.71, 0.29], [0.69, 0.31], [0.2, 0.8]], np.float32)
    found = evaluate(probabilities, np.array([0, 0, 1, 1]), [1], np.array([0.7, 0.3]))
    assert found["confusion_matrix"] == [[2, 0], [0, 2]]
