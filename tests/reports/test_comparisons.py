import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.multitest import multipletests

from fillbench.reports.comparisons import Evidence, differences, gather, holm
from fillbench.reports.estimates import Estimate


def evidence(values, image=0.0):
    """Of arms 0, 1, … with values (A, S), whose means other test examples would move with the variance `image`."""
    values = np.array(values, dtype=float)
    return Evidence(
        [str(arm) for arm in range(len(values))], values, image * np.eye(len(values))[None], np.array([99.0])
    )


@settings(max_examples=30)
@given(st.lists(st.floats(1e-9, 1), min_size=1, max_size=20))
def test_holms_correction_is_that_of_statsmodels(values):
    assert holm(values) == pytest.approx(multipletests(values, method="holm")[1])


def test_a_nan_stays_and_does_not_count():
    assert holm([0.01, np.nan, 0.04]) == pytest.approx([0.02, np.nan, 0.04], nan_ok=True)


def test_a_pair_alone_whose_examples_add_nothing_is_students_paired_t():
    a, b = np.random.default_rng(0).normal(size=(2, 6))
    found = differences(evidence([a, b]), [("0", "1")])
    assert found.p[0] == pytest.approx(stats.ttest_rel(a, b).pvalue, rel=1e-3)
    low, high = stats.ttest_rel(a, b).confidence_interval(0.95)
    assert found.half(0.05)[0] == pytest.approx((high - low) / 2, rel=1e-3)  # never surer than one test example


def test_seeds_that_all_agree_leave_the_uncertainty_of_the_test_examples():
    found = differences(evidence([[0.6] * 4, [0.5] * 4], image=0.01), [("0", "1")])
    assert found.half(0.05)[0] == pytest.approx(stats.t.ppf(0.975, 99) * np.sqrt(0.02))


@given(st.integers(0, 1000), st.integers(2, 12), st.integers(3, 10))
@settings(max_examples=60, deadline=None)
def test_p_is_below_a_level_exactly_where_its_interval_leaves_zero_out(seed, arms, seeds):
    rng = np.random.default_rng(seed)
    found = differences(evidence(rng.normal(0, 0.1, (arms, seeds)), image=0.001), [("0", str(arms - 1))])
    for alpha in (0.2, 0.05, 0.01):
        assert (found.p[0] < alpha) == (found.half(alpha)[0] < abs(found.mean[0]))
    assert found.detectable(0.05)[0] > found.half(0.05)[0]


def test_the_order_of_a_pair_only_turns_the_sign():
    known = evidence(np.random.default_rng(0).normal(size=(8, 4)))
    one, other = (differences(known, [pair]) for pair in (("2", "5"), ("5", "2")))
    assert one.mean == pytest.approx(-other.mean)
    assert one.p == pytest.approx(other.p)


def test_an_unstable_arm_costs_the_others_little():
    rng = np.random.default_rng(0)
    quiet = rng.normal(0.5, 0.02, (9, 4))
    wild = np.vstack([quiet, [[0.1, 0.9, 0.2, 0.8]]])
    alone, beside = (differences(evidence(one), [("1", "0")]).half(0.01)[0] for one in (quiet, wild))
    assert beside < 1.5 * alone
    assert differences(evidence(wild), [("9", "0")]).seed_df[0] < 4


def test_quiet_arms_lend_each_other_degrees_of_freedom():
    rng = np.random.default_rng(1)
    found = differences(evidence(rng.normal(0.5, 0.05, (12, 3))), [(str(arm), "0") for arm in range(1, 12)])
    assert np.median(found.seed_df) > 2.5


def test_enough_seeds_is_how_many_would_show_a_difference():
    rng = np.random.default_rng(2)
    found = differences(evidence(rng.normal(0.5, 0.05, (8, 4)), image=1e-5), [("1", "0")])
    now = found.detectable(0.01)[0]
    assert found.enough_seeds(0.01, now * 1.01)[0] <= 4
    assert found.enough_seeds(0.01, now / 3)[0] > 4
    assert found.enough_seeds(0.01, 1e-4)[0] is None


def test_what_chance_does_within_the_cells_is_not_counted_twice():
    rng = np.random.default_rng(3)
    labels, seeds = np.zeros(2000, dtype=int), 5
    images = []
    for _ in range(40):
        found = {}
        for arm in "ab":
            hits = (rng.random((seeds, 2000)) < 0.5).astype(float)  # nothing but chance: no example is hard for an arm
            found[arm] = [Estimate(one.mean(), (one - one.mean()) / 2000) for one in hits]
        known = gather(found, labels)
        images.append(known.images[0, 0, 0] + known.images[0, 1, 1] - 2 * known.images[0, 0, 1])
    assert abs(np.mean(images)) < 0.15 * 2 * 0.25 / 2000 / seeds
