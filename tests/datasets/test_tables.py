"""What an array of rows may hold, and the way to numbers of one scale and back."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from fillbench.datasets import traits_of
from fillbench.datasets.base import DataSet
from fillbench.datasets.coding import Coding
from fillbench.datasets.tables import Column, TableTraits, toy

TRAITS = TableTraits((Column("weight"), Column("age", whole=True, missing=True), Column("sort", ("a", "b", "c"))))
GOOD = np.array([[1.5, 3, 0], [2.5, np.nan, 2]], np.float32)


def test_rows_that_its_columns_can_hold_are_rows():
    assert TRAITS.complaint(GOOD, GOOD) is None


@pytest.mark.parametrize(
    ("spot", "value", "complaint"),
    [
        (0, np.nan, r"missing values \(NaN\) in column 'weight'"),
        (0, np.inf, "infinity in column 'weight'"),
        (1, 2.5, "numbers that are not whole in column 'age'"),
        (2, 3, "the code 3 of no category in column 'sort'"),
        (2, 0.5, "the code 0.5 of no category in column 'sort'"),
    ],
)
def test_a_value_that_a_column_cannot_hold_is_told_with_the_column(spot, value, complaint):
    bad = GOOD.copy()
    bad[1, spot] = value
    with pytest.raises(AssertionError, match=complaint):
        assert TRAITS.complaint(bad, GOOD) is None, TRAITS.complaint(bad, GOOD)


@pytest.mark.parametrize("bad", [GOOD.astype(np.float64), GOOD[:, :2], GOOD[0], GOOD.tolist()])
def test_other_arrays_are_no_rows(bad):
    assert TRAITS.complaint(bad, GOOD)


@given(arrays(np.float64, (5, 3), elements=st.floats(-1e6, 1e6)))
def test_the_nearest_rows_are_rows(values):
    assert TRAITS.complaint(TRAITS.nearest(values), GOOD) is None


def test_rows_that_come_back_are_the_same_to_the_last_bit_where_they_are_whole():
    x = np.random.default_rng(0).poisson(0.7, (60, 2)).astype(np.float32)
    data = DataSet(x, np.arange(60) % 2, ("a", "b"), TableTraits((Column("a", whole=True), Column("b", whole=True))))
    coding = Coding.fit(data)
    assert coding.decoded(coding.coded(x)).tobytes() == x.tobytes(), "-0.0 is another row"


@pytest.mark.parametrize("name", traits_of("tables").toys())
def test_rows_come_back_from_numbers_of_one_scale(name):
    data = traits_of("tables").toys()[name]
    coding = Coding.fit(data)
    for back in (coding.decoded(coding.coded(data.x)), coding.from_one_hot(coding.one_hot(data.x))):
        np.testing.assert_allclose(back, data.x, rtol=1e-4, atol=1e-6)
    assert not np.isnan(coding.one_hot(data.x)).any()


@given(st.integers(0, 3), st.integers(0, 3), st.booleans(), st.integers(0, 99))
def test_coded_numbers_have_one_scale_whatever_the_columns(numbers, categories, missing, seed):
    if not numbers + categories:
        return
    data = toy((20, 10, 5), numbers, categories, missing, seed)
    coding = Coding.fit(data)
    coded = coding.coded(data.x)
    assert coded.shape == (35, len(coding.categories))
    for count, values in zip(coding.categories, coded.T, strict=True):
        if count:
            assert set(values.tolist()) <= set(range(count))
        elif not missing:
            assert abs(values.mean()) < 1e-3


def test_a_constant_column_and_one_without_values_are_numbers_too():
    x = np.array([[7, np.nan], [7, np.nan]], np.float32)
    data = DataSet(x, np.array([0, 1]), ("a", "b"), TableTraits((Column("seven"), Column("never", missing=True))))
    coding = Coding.fit(data)
    assert np.isfinite(coding.one_hot(x)).all()
    np.testing.assert_array_equal(coding.decoded(coding.coded(x)), x)


def test_a_table_is_stored_and_opened_with_its_columns(tmp_path):
    data = toy((6, 5, 4), missing=True)
    data.save(tmp_path)
    again = DataSet.open(tmp_path)
    assert again.traits == data.traits
    np.testing.assert_array_equal(again.x, data.x)
