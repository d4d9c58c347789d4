import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.multitest import multipletests

from fillbench.benchmark.calibrate import FAMILY, ODD, PAIR, simulate
from fillbench.reports.comparisons import compare, differences, holm, ranks, variance_shares

ONE_CLASS = np.zeros(87, dtype=int)


def outcomes(*recalls, images=100):
    """By seed, the first images recognised, so many that the recall is as given."""
    return {seed: (np.arange(images) < round(recall * images)).astype(float) for seed, recall in enumerate(recalls)}


def pair(a, b, labels=None):
    if labels is None:
        labels = np.zeros(len(next(iter(a.values()))), dtype=int)
    return compare({"a": a, "b": b}, [("a", "b")], labels)[0]


@pytest.mark.parametrize("seeds", [3, 5, 10])
def test_arms_without_a_true_difference_are_seldom_told_apart(seeds):
    rng = np.random.default_rng(seeds)
    runs = [differences(simulate(rng, PAIR, seeds, 0.0), [("0", "none")], ONE_CLASS)[0] for _ in range(200)]
    called = sum(run.p_holm < 0.05 for run in runs)
    assert called <= stats.binom.ppf(0.99, 200, 0.05)


@pytest.mark.parametrize("seeds", [3, 5, 10])
def test_a_run_of_fifteen_arms_seldom_shows_a_difference_that_is_none(seeds):
    rng, pairs = np.random.default_rng(seeds), [(str(arm), "none") for arm in range(15)]
    runs = [differences(simulate(rng, PAIR._replace(arms=15), seeds, 0.0), pairs, ONE_CLASS) for _ in range(30)]
    assert sum(any(test.p_holm < 0.05 for test in run) for run in runs) <= stats.binom.ppf(0.99, 30, 0.05)


@given(st.lists(st.floats(0, 1) | st.just(math.nan), max_size=8))
def test_holms_correction_is_statsmodels_and_leaves_out_what_is_not_known(values):
    known = [value for value in values if not math.isnan(value)]
    expected = iter(multipletests(known, method="holm")[1].tolist() if known else [])
    assert holm(values) == pytest.approx([math.nan if math.isnan(v) else next(expected) for v in values], nan_ok=True)


@pytest.mark.parametrize(("seeds", "share"), [(3, 0.6), (5, 0.9), (10, 0.95)])
def test_a_run_of_fifteen_arms_shows_a_gain_of_0_4_from_three_seeds_on(seeds, share):
    rng, pairs = np.random.default_rng(seeds), [(str(arm), "none") for arm in range(15)]
    case = PAIR._replace(arms=15, gifted=15)
    runs = [differences(simulate(rng, case, seeds, 0.4), pairs, ONE_CLASS) for _ in range(30)]
    assert np.mean([test.verdict == "helps" for run in runs for test in run]) > share


def test_an_unstable_arm_beside_quiet_ones_seldom_differs_by_chance():
    rng, pairs = np.random.default_rng(3), [(str(arm), "none") for arm in range(5)]
    runs = [differences(simulate(rng, ODD[-1], 3, 0.0), pairs, ONE_CLASS) for _ in range(150)]
    raw, after = (sum(getattr(run[-1], p) < 0.05 for run in runs) for p in ("p", "p_holm"))
    assert raw < 0.14 * 150  # 0.17 before an arm could stand alone
    assert after <= stats.binom.ppf(0.99, 150, 0.05)


def test_an_arm_that_varies_much_more_than_the_others_stands_alone():
    rng = np.random.default_rng(0)
    arms = {str(arm): outcomes(*rng.normal(0.5, 0.02, 3)) for arm in range(8)} | {"wild": outcomes(0.1, 0.9, 0.5)}
    wild, quiet = differences(arms, [("wild", "0"), ("1", "0")], np.zeros(100, int))
    assert wild.df < 3
    assert wild.se > 0.2
    assert quiet.df > 3  # less than without the wild one, since the arms differ
    assert quiet.se < 0.1


def test_other_arms_that_stand_apart_do_not_widen_what_is_said_of_two_quiet_ones():
    rng = np.random.default_rng(0)
    quiet = {str(arm): outcomes(*rng.normal(0.5, 0.02, 5)) for arm in range(6)}
    wild = {"wild": outcomes(0.1, 0.9, 0.5, 0.2, 0.8)}
    alone, beside = (differences(arms, [("1", "0")], np.zeros(100, int))[0] for arms in (quiet, quiet | wild))
    assert beside.se < 2.5 * alone.se


def test_a_fall_below_the_best_of_several_is_corrected_for_the_choice_and_a_gain_is_not():
    base, rng = (0.50, 0.56, 0.44, 0.52, 0.48), np.random.default_rng(0)
    arms = {
        name: outcomes(*(np.array(base) + rng.normal(by, 0.05, 5)))
        for name, by in [("a", 0.12), ("b", 0), ("c", -0.12)]
    }
    pairs = [("a", "b"), ("c", "b")]
    plain, chosen = (differences(arms, pairs, np.zeros(100, int), selected_from=k) for k in (1, 8))
    assert [test.p_holm for test in plain] == pytest.approx(holm([test.p for test in plain]))
    assert [test.p_holm for test in chosen] == pytest.approx(holm([plain[0].p, 8 * plain[1].p]))
    assert [test.p for test in chosen] == [test.p for test in plain]


def test_what_is_no_worse_than_the_best_control_is_seldom_said_to_hurt():
    rng, falls = np.random.default_rng(0), {1: 0, 8: 0}
    for _ in range(50):
        run = simulate(rng, FAMILY, 10, 0.0)
        base = max(map(str, range(7, 15)), key=lambda name: np.mean(list(run[name].values())))
        pairs = [(name, base) for name in run if name not in ("none", base)]
        for k in falls:
            falls[k] += any(test.verdict == "hurts" for test in differences(run, pairs, ONE_CLASS, selected_from=k))
    assert falls[8] <= stats.binom.ppf(0.99, 50, 0.05)
    assert falls[8] < falls[1]


@pytest.mark.parametrize("seeds", [3, 5])
def test_a_gain_that_is_said_to_be_detectable_is_shown_four_times_in_five(seeds):
    rng, pairs = np.random.default_rng(seeds), [(str(arm), "none") for arm in range(15)]
    said = np.mean(
        [one.detectable for _ in range(10) for one in compare(simulate(rng, FAMILY, seeds, 0.0), pairs, ONE_CLASS)]
    )
    runs = [differences(simulate(rng, FAMILY, seeds, said), pairs, ONE_CLASS) for _ in range(40)]
    assert np.mean([test.verdict == "helps" for run in runs for test in run[: FAMILY.gifted]]) > 0.7


def test_what_is_detectable_grows_with_the_number_of_comparisons():
    rng = np.random.default_rng(0)
    arms = {str(arm): outcomes(*rng.normal(0.5, 0.05, 5)) for arm in range(6)}
    one, among = (compare(arms, [(str(a), "0") for a in range(1, n)], np.zeros(100, int))[0] for n in (2, 6))
    assert one.p == among.p
    half = (one.high - one.low) / 2
    assert half < one.detectable < 0.9 * among.detectable


def test_a_single_pair_without_other_arms_is_students_t_where_the_images_add_nothing():
    recalls = np.random.default_rng(0).random((2, 6))
    a, b = ({seed: np.full(100, recall) for seed, recall in enumerate(row)} for row in recalls)
    found, expected = pair(a, b), stats.ttest_rel(*recalls)
    assert found.p == found.p_holm == pytest.approx(expected.pvalue)
    low, high = expected.confidence_interval()
    assert (found.low if found.mean > 0 else found.high) == pytest.approx(low if found.mean > 0 else high)


def test_the_mean_is_over_classes_whatever_their_numbers_of_images():
    labels = np.array([3, 3, 3, 7])
    a = {seed: np.array([1.0, 1.0, 1.0, 0.0]) for seed in range(3)}
    b = {seed: np.array([0.0, 0.0, 0.0, 0.0]) for seed in range(3)}
    assert pair(a, b, labels).mean == pytest.approx(0.5)


def test_images_that_one_arm_knows_and_the_other_does_not_widen_the_interval():
    half = np.arange(100) < 50
    a = {seed: half.astype(float) for seed in range(5)}
    swapped = {seed: (~half).astype(float) for seed in range(5)}
    found = pair(a, swapped)
    assert found.mean == pytest.approx(0)
    assert found.high - found.low > 0.4
    assert pair(a, a).high - pair(a, a).low < 0.1


def test_few_seeds_that_agree_by_chance_are_no_certainty():
    found = pair(outcomes(0.51, 0.71, 0.61), outcomes(0.50, 0.70, 0.60))
    assert found.mean == pytest.approx(0.01)
    assert found.verdict == "no difference shown"
    assert found.low < 0 < found.high


def test_other_arms_tell_how_much_seeds_matter():
    rng = np.random.default_rng(1)
    arms = {str(arm): outcomes(*rng.normal(0.5, 0.1, 3)) for arm in range(10)}
    steady = outcomes(0.30, 0.30, 0.31)
    alone, among = (
        differences(of | {"a": steady}, [("a", "0")], np.zeros(100, int))[0] for of in ({"0": arms["0"]}, arms)
    )
    assert alone.df == 2
    assert among.df > 5


def test_a_single_seed_shows_nothing_but_the_difference():
    found = pair(outcomes(0.9), outcomes(0.1))
    assert found.mean == pytest.approx(0.8)
    assert found.better == 1
    assert found.seeds == 1
    assert all(math.isnan(value) for value in (found.low, found.high, found.p, found.p_holm, found.detectable))
    assert found.verdict == "no difference shown"


def test_arms_without_a_common_seed_cannot_be_compared():
    found = pair({0: np.ones(4)}, {1: np.ones(4)})
    assert found.seeds == 0
    assert math.isnan(found.mean)
    assert math.isnan(found.better)
    assert compare({"a": {}, "b": {0: np.ones(4)}}, [("a", "b")], np.zeros(4, int))[0].seeds == 0


def test_only_seeds_that_both_have_count():
    a, b = outcomes(0.5, 0.6, 0.7, 0.0), outcomes(0.4, 0.5, 0.6)
    assert pair(a, b).seeds == 3
    assert pair(a, b).mean == pytest.approx(0.1)


@pytest.mark.parametrize(("gain", "verdict"), [(0.4, "helps"), (-0.4, "hurts")])
def test_the_verdict_follows_the_sign(gain, verdict):
    base = (0.50, 0.52, 0.48, 0.51, 0.49)
    rng = np.random.default_rng(0)
    found = pair(outcomes(*(b + gain + rng.normal(0, 0.02) for b in base)), outcomes(*base))
    assert found.verdict == verdict


hits = st.lists(st.sampled_from([0.0, 0.5, 1.0]), min_size=6, max_size=6).map(np.array)
arm = st.dictionaries(st.integers(0, 4), hits, min_size=1, max_size=5)
LABELS = np.array([0, 0, 0, 0, 1, 1])


@settings(max_examples=40, deadline=None)
@given(arm, arm, arm)
def test_what_always_holds(a, b, c):
    arms, pairs = {"a": a, "b": b, "c": c}, [("a", "b"), ("b", "a"), ("a", "c")]
    found = compare(arms, pairs, LABELS)
    for (first, second), result in zip(pairs, found, strict=True):
        assert result.seeds == len(arms[first].keys() & arms[second].keys())
        if result.seeds:
            assert 0 <= result.better <= 1
            assert -1 <= result.mean <= 1
        if result.seeds > 1:
            assert result.low <= result.mean <= result.high
            assert 0 <= result.p <= result.p_holm <= 1
            assert result.detectable > 0
    there, back = found[:2]
    assert back.mean == pytest.approx(-there.mean, nan_ok=True)
    assert (back.low, back.high) == pytest.approx((-there.high, -there.low), nan_ok=True)
    assert back.p == pytest.approx(there.p, nan_ok=True)
    assert back.better == pytest.approx(1 - there.better, nan_ok=True)
    assert [test.p_holm for test in differences(arms, pairs, LABELS)] == pytest.approx(
        [result.p_holm for result in found], nan_ok=True
    )


@settings(max_examples=10, deadline=None)
@given(arm, arm)
def test_the_same_input_gives_the_same_answer(a, b):
    assert repr(pair(a, b, LABELS)) == repr(pair(a, b, LABELS))


def test_the_interval_leaves_zero_out_exactly_where_p_before_the_correction_is_below_0_05():
    rng, agreed, lopsided = np.random.default_rng(0), [], []
    for seeds in (3, 5):
        for _ in range(60):
            found = compare(simulate(rng, PAIR, seeds, 0.2), [("0", "none")], ONE_CLASS)[0]
            agreed.append((found.p < 0.05) == (found.low > 0 or found.high < 0))
            lopsided.append(abs(found.high + found.low - 2 * found.mean) > 0.01)
    assert all(agreed)
    assert any(lopsided)  # the bootstrap has a say


def test_holm_multiplies_the_smallest_by_all_and_leaves_nan_out():
    assert holm([0.01, math.nan, 0.04, 0.03]) == pytest.approx([0.03, math.nan, 0.06, 0.06], nan_ok=True)
    assert holm([0.2]) == [0.2]
    assert holm([]) == []
    assert holm([8 * 0.5]) == [1.0]


def test_arms_that_nothing_tells_apart_share_a_rank():
    shown = {("a", "c"), ("a", "d"), ("b", "d")}
    assert ranks("abcd", lambda one, other: (one, other) in shown) == {"a": 1, "b": 1, "c": 2, "d": 3}


def test_all_pairs_of_a_run_give_ranks():
    rng = np.random.default_rng(0)
    recalls = {"low": 0.2, "also low": 0.22, "high": 0.8}
    arms = {name: outcomes(*(recall + rng.normal(0, 0.02, 5))) for name, recall in recalls.items()}
    pairs = list(combinations(arms, 2))
    found = dict(zip(pairs, differences(arms, pairs, np.zeros(100, int)), strict=True))

    def better(a, b):
        return found[a, b].verdict == "helps" if (a, b) in found else found[b, a].verdict == "hurts"

    assert ranks(arms, better) == {"low": 2, "also low": 2, "high": 1}


def test_variance_shares_recover_what_went_in():
    rng = np.random.default_rng(0)
    values = {seed: rng.normal(0, 2) + rng.normal(0, 1, 4 + seed % 2) for seed in range(2000)}
    between, within = variance_shares(values)
    assert between == pytest.approx(0.8, abs=0.03)
    assert between + within == pytest.approx(1)


def test_variance_shares_of_repeats_alone():
    assert variance_shares({0: [0.4, 0.6], 1: [0.6, 0.4]}) == (0, 1)


@pytest.mark.parametrize("values", [{}, {0: [0.4, 0.6]}, {0: [0.4], 1: [0.6]}, {0: [0.5, 0.5], 1: [0.5, 0.5]}])
def test_variance_shares_need_two_seeds_repeats_and_some_variance(values):
    assert all(math.isnan(share) for share in variance_shares(values))
