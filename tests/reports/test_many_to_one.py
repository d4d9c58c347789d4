"""What the comparison over data sets shows, and how often it shows what is not there."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import ttest_rel

from fillbench.reports.comparisons import holm
from fillbench.reports.many_to_one import judge, random_effects, word

CONTROLS = ("oversample", "mixup")
ARMS = ("none", *CONTROLS, *(f"arm{index}" for index in range(10)))
BY_DATA_SET = 0.07  # standard deviation of an arm's level, beside what the data set does to all arms
NONE = {arm: ["none"] for arm in ARMS[1:]}
EVERY = {arm: [one for one in CONTROLS if one != arm] for arm in ARMS[1:]}


def drawn(rng, sets, gain):
    """Levels of 13 arms on `sets` data sets; arm0 is better by `gain`."""
    noise = rng.normal(0, 0.15, sets) + rng.normal(0, BY_DATA_SET, (2, len(ARMS), sets))
    noise[:, ARMS.index("arm0")] += gain
    return {name: pd.DataFrame(0.5 + one, index=ARMS) for name, one in zip(("knowing", "deciding"), noise, strict=True)}


def words(levels, bases):
    return {arm: word(found) for arm, found in judge(levels, bases).items()}


@pytest.mark.parametrize(("bases", "least"), [(NONE, 0.8), (EVERY, 0.7)], ids=["none", "controls"])
def test_ten_data_sets_show_one_better_arm_among_thirteen_and_seldom_anything_else(bases, least):
    rng = np.random.default_rng(0)
    found = [words(drawn(rng, 10, 0.15), bases) for _ in range(100)]
    assert np.mean([one.pop("arm0") == "helps" for one in found]) > least
    assert np.mean([set(one.values()) != {"no difference shown"} for one in found]) <= 0.05


@pytest.mark.parametrize("bases", [NONE, EVERY], ids=["none", "controls"])
def test_where_nothing_differs_something_is_seldom_shown(bases):
    rng = np.random.default_rng(1)
    found = [set(words(drawn(rng, 6, 0), bases).values()) for _ in range(100)]
    assert np.mean([one != {"no difference shown"} for one in found]) <= 0.05


def test_five_data_sets_describe_and_do_not_test():
    found = judge(drawn(np.random.default_rng(2), 5, 0.5), NONE)["arm0"]
    assert word(found) == ""
    assert all(np.isnan(one.p) and 0 < one.low < one.mean < one.high for one in found.values())


def test_p_is_that_of_the_paired_t_test_with_holm_over_arms_and_both_estimands():
    levels = drawn(np.random.default_rng(3), 8, 0.15)
    raw = [ttest_rel(table.loc[arm], table.loc["none"]).pvalue for table in levels.values() for arm in NONE]
    found = judge(levels, NONE)
    assert [found[arm][metric].p for metric in levels for arm in NONE] == pytest.approx(holm(raw))


def beside(*means):
    """An arm on eight data sets, better than controls by these means, give or take 0.01."""
    noise = np.array([-1, 1, -1, 1, -1, 1, -1, 1]) * 0.01
    names = [f"control{index}" for index in range(len(means))]
    levels = pd.DataFrame([noise * 0 + 0.5, *(0.5 - mean - noise for mean in means)], index=["arm", *names])
    return judge({"knowing": levels, "deciding": levels}, {"arm": names})["arm"]


def test_an_arm_has_to_beat_every_control_to_be_better_and_fall_below_one_to_be_worse():
    assert word(beside(0.1, 0.2)) == "helps"
    assert word(beside(0.1, 0.0)) == "no difference shown"
    assert word(beside(0.1, -0.1)) == "hurts"
    assert beside(0.1, 0.2)["knowing"].mean == pytest.approx(0.1)


def test_falling_below_one_counts_as_many_times_as_there_are_controls():
    assert beside(-0.02, 0.3, 0.3)["knowing"].p == pytest.approx(3 * beside(-0.02)["knowing"].p)


def test_up_in_one_estimand_and_down_in_the_other_is_mixed():
    assert word({"knowing": beside(0.1)["knowing"], "deciding": beside(-0.1)["knowing"]}) == "mixed"


def test_arms_that_are_equal_everywhere_do_not_differ():
    level = pd.DataFrame(np.tile(np.linspace(0.1, 0.9, 7), (2, 1)), index=["none", "copy"])
    found = judge({"knowing": level}, {"copy": ["none"]})["copy"]
    assert found["knowing"] == (0, 0, 0, 1)
    assert word(found) == "no difference shown"


def test_a_data_set_that_is_known_better_weighs_more_in_the_random_effects_mean():
    gaps = np.array([[0.0, 0.1, 0.3]])
    alike, unlike = random_effects(gaps, np.full((1, 3), 0.01)), random_effects(gaps, np.array([[0.1, 0.1, 0.0001]]))
    assert alike.mean == pytest.approx(0.4 / 3)
    assert unlike.mean > 0.25
    assert alike.low < alike.mean < alike.high
    assert random_effects(gaps, np.full((1, 3), 1e-6)).tau2 == pytest.approx(gaps.var(ddof=1), rel=0.01)


def test_the_random_effects_mean_beside_several_is_that_beside_the_best():
    gaps, variances = np.array([[0.2, 0.3, 0.4], [0.1, 0.0, 0.2]]), np.full((2, 3), 0.001)
    both, best = random_effects(gaps, variances), random_effects(gaps[1:], variances[1:])
    assert both.mean == best.mean
    assert both.high > best.high, "it may be any of them"
    assert np.isnan(random_effects(gaps, variances * np.nan).mean)
