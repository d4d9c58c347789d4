import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score

from fillbench.reports.estimates import Predictions, Ranking, area_under_roc, average_precision
from fillbench.reports.metrics import METRICS

RARE = 0


def drawn(seed, count=2500):
    """Probabilities with many ties, and labels of which a tenth are rare."""
    rng = np.random.default_rng(seed)
    labels = rng.choice(4, count, p=[0.1, 0.3, 0.3, 0.3])
    scores = rng.normal(size=(count, 4)).round(1)
    scores[np.arange(count), labels] += 1.5
    odds = np.exp(scores)
    return (odds / odds.sum(axis=1, keepdims=True)).astype(np.float32), labels


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_the_influence_of_an_example_is_what_another_like_it_would_change(metric):
    probabilities, labels = drawn(0)
    found = metric.estimate(Predictions(probabilities, labels, [RARE]))
    some = np.r_[np.flatnonzero(labels == RARE)[:15], np.flatnonzero(labels != RARE)[:15]]
    change = []
    for index in some:
        twice = np.r_[np.arange(len(labels)), index]
        change.append(metric.estimate(Predictions(probabilities[twice], labels[twice], [RARE])).value - found.value)
    assert np.abs(change).max() > 0
    assert np.abs(change - found.influence[some]).max() < 0.02 * np.abs(change).max()
    assert found.influence.sum() == pytest.approx(0, abs=1e-9)


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=2, max_size=30))
@settings(max_examples=200, deadline=None)
def test_rankings_agree_with_scikit_learn_whatever_is_tied(pairs):
    scores, positive = np.array([score for score, _ in pairs], float), np.array([one for _, one in pairs])
    ranking = Ranking(scores, positive)
    if positive.any():
        assert average_precision(ranking).value == pytest.approx(average_precision_score(positive, scores))
    else:
        assert np.isnan(average_precision(ranking).value)
    if positive.any() and not positive.all():
        assert area_under_roc(ranking).value == pytest.approx(roc_auc_score(positive, scores))


def test_the_variance_from_the_influence_is_that_of_other_test_sets():
    values, told = [], []
    for seed in range(200):
        predicted = Predictions(*drawn(seed, 800), [RARE])
        found = next(metric for metric in METRICS if metric.name == "rare_ap").estimate(predicted)
        values.append(found.value)
        told.append(float((found.influence**2).sum()))
    assert np.sqrt(np.mean(told)) == pytest.approx(np.std(values), rel=0.15)
