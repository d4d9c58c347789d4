import math

import numpy as np
import pytest
from scipy import stats

from fillbench.reports.statistics import gap_recovered, t_factor, t_interval


def test_the_interval_is_students_t_as_scipy_computes_it():
    values = [0.61, 0.58, 0.70, 0.66]
    found = t_interval(values)
    low, high = stats.t.interval(0.95, 3, loc=np.mean(values), scale=stats.sem(values))
    assert found.mean == pytest.approx(np.mean(values))
    assert (found.low, found.high) == pytest.approx((low, high))
    assert found.n == 4


def test_three_seeds_reach_4_30_standard_errors():
    assert t_factor(3) == pytest.approx(4.3027, abs=1e-4)
    found = t_interval([1.0, 2.0, 3.0])
    assert found.high - found.mean == pytest.approx(4.3027 / math.sqrt(3), abs=1e-4)


def test_the_interval_is_not_clipped_to_zero_and_one():
    found = t_interval([0.9, 1.0])
    assert found.high > 1


def test_one_value_has_a_mean_and_no_interval():
    found = t_interval([0.4])
    assert found.mean == 0.4
    assert not found.known


def test_no_value_has_no_mean():
    assert math.isnan(t_interval([]).mean)


def test_nan_is_left_out():
    assert t_interval([1.0, math.nan, 3.0]).n == 2


def test_gap_recovered_is_the_share_of_the_way_from_none_to_full():
    assert gap_recovered({0: 0.6, 1: 0.8}, {0: 0.4, 1: 0.4}, {0: 0.9, 1: 0.9}) == pytest.approx(0.6)
    assert gap_recovered({0: 0.3}, {0: 0.4}, {0: 0.9}) == pytest.approx(-0.2)


def test_gap_recovered_uses_only_the_seeds_that_all_three_share():
    assert gap_recovered({0: 0.5, 1: 0.0}, {0: 0.0, 1: 0.0}, {0: 1.0}) == pytest.approx(0.5)


@pytest.mark.parametrize("full", [{}, {0: 0.4}, {0: 0.1}])
def test_gap_recovered_is_nan_without_a_gap(full):
    assert math.isnan(gap_recovered({0: 0.5}, {0: 0.4}, full))
