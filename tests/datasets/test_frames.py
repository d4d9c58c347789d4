"""A user's own tables, as they come."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fillbench import FillbenchError
from fillbench.datasets import load

HEADER = "size,colour,price,buys"


def line(spot):
    return f"{spot % 7},{'red' if spot % 3 else 'blue'},{spot / 3:.2f},{'yes' if spot % 4 == 0 else 'no'}"


def text_of(lines, header=HEADER):
    return "\n".join([header, *lines])


SHOP = text_of(map(line, range(80)))


@pytest.fixture
def table(tmp_path):
    """Reads a text as a CSV file."""

    def read(text=SHOP, **options):
        path = tmp_path / "shop.csv"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return load(f"csv:{path}", tmp_path, **{"target": "buys", **options})

    return read


def test_pandas_types_tell_numbers_from_categories(table):
    split = table()
    kinds = [(column.name, column.categories, column.whole) for column in split.train.traits.columns]
    assert kinds == [("size", None, True), ("colour", ("blue", "red"), False), ("price", None, False)]
    assert split.train.class_names == ("no", "yes")
    assert (len(split.train), len(split.test)) == (60, 20)
    assert split.train.x.dtype == np.float32
    assert split.reading["split"] == "a quarter of each class held back for testing, by seed 0"


def test_the_same_file_gives_the_same_split_and_another_seed_another(table):
    np.testing.assert_array_equal(table().test.x, table().test.x)
    assert (table().test.x != table(split_seed=1).test.x).any()
    assert table(split_seed=1).test.counts().tolist() == table().test.counts().tolist()


@pytest.mark.parametrize("sign", [";", "\t", "|"])
def test_other_separators_are_found(table, sign):
    split = table(text_of(map(line, range(80))).replace(",", sign))
    np.testing.assert_array_equal(split.train.x, table().train.x)


def test_types_can_be_given(table):
    split = table(categorical=("size",), drop=("colour",))
    assert [column.name for column in split.train.traits.columns] == ["size", "price"]
    assert split.train.traits.columns[0].categories == tuple("0123456")


def test_one_class_against_the_others(table):
    rows = [f"{spot % 7},red,{spot / 3:.2f},{'abc'[spot % 3]}" for spot in range(90)]
    split = table(text_of(rows), positive="b")
    assert split.train.class_names == ("not b", "b")
    assert (split.train.counts() + split.test.counts()).tolist() == [60, 30]


def test_missing_values_stay_missing(table):
    rows = [row.replace("red", "") if spot % 5 == 0 else row for spot, row in enumerate(map(line, range(80)))]
    split = table(text_of(rows))
    assert split.train.traits.columns[1].missing
    assert np.isnan(split.train.x[:, 1]).sum() + np.isnan(split.test.x[:, 1]).sum() == sum(",," in row for row in rows)
    assert split.reading["missing_values"].startswith("stay missing; for what takes none, a number is the median")
    assert [column["missing"] for column in split.train.traits.described()["columns"]] == [False, True, False]
    assert "missing_values" not in table().reading


def test_a_test_file_is_taken_as_it_is_and_its_unknown_categories_are_missing(table, tmp_path):
    (tmp_path / "later.csv").write_text(text_of(["1,green,2.5,yes", "1,red,2.5,no"]))
    split = table(test=str(tmp_path / "later.csv"))
    assert (len(split.train), len(split.test)) == (80, 2)
    assert np.isnan(split.test.x[:, 1]).tolist() == [True, False]
    assert any(
        "no training row has 'green'; it is missing in 1 test rows" in text for text in split.reading["warnings"]
    )


def test_text_in_a_column_of_numbers_of_the_test_file_is_refused(table, tmp_path):
    (tmp_path / "later.csv").write_text(text_of(["1,red,cheap,yes", "1,red,2.5,no"]))
    with pytest.raises(FillbenchError, match="column 'price' holds numbers, and 'cheap' in the test part"):
        table(test=str(tmp_path / "later.csv"))
    (tmp_path / "later.csv").write_text(SHOP)
    with pytest.raises(FillbenchError, match="--group splits a table, and --test has the test rows"):
        table(test=str(tmp_path / "later.csv"), group="colour")


def test_a_target_of_numbers_in_one_file_and_words_in_the_other_has_one_name_for_each(table, tmp_path):
    rows = [f"{spot},red,{spot / 7},{('1', '2', '2b')[spot % 3]}" for spot in range(30)]
    (tmp_path / "later.csv").write_text(text_of(["1,red,1,1", "1,red,2,2"]))
    with pytest.raises(FillbenchError, match="class '2b' of shop has 0 test rows"):
        table(text_of(rows), test=str(tmp_path / "later.csv"))


def test_a_class_may_be_called_none(table):
    rows = [f"{spot},red,{spot / 7},{('None', 'NA')[spot % 2]}" for spot in range(30)]
    assert table(text_of(rows)).train.class_names == ("NA", "None")


def test_a_decimal_comma_is_read_as_one(table):
    prices = [str(spot // 7) + (f",{spot % 7}" if spot % 7 else "") for spot in range(40)]
    rows = [f"{spot};red;{price};{'yes' if spot % 2 else 'no'}" for spot, price in enumerate(prices)]
    price = table(text_of(rows, HEADER.replace(",", ";"))).train.traits.columns[2]
    assert (price.categories, price.whole) == (None, False)


def test_a_header_may_be_long_or_quoted_after_a_blank_line(table):
    names = [f"{spot} {'of a long name ' * 8}" for spot in range(700)]
    wide = table(
        text_of([",".join([f"{spot}.5"] * 700) + f",{spot % 2}" for spot in range(8)], ",".join([*names, "buys"]))
    )
    assert len(wide.train.traits.columns) == 700
    quoted = table('\n"a\nx",b,buys\n' + "\n".join(f"{spot},{spot / 7},{spot % 2}" for spot in range(30)))
    assert [column.name for column in quoted.train.traits.columns] == ["a\nx", "b"]
    assert len(table(SHOP.replace("\n", "\r")).train.traits.columns) == 3


def test_a_very_wide_table_is_read(table):
    names = [f"ENSG{spot:011d}" for spot in range(10_000)]
    wide = table(
        text_of([",".join([f"{spot}.5"] * 10_000) + f",{spot % 2}" for spot in range(8)], ",".join([*names, "buys"]))
    )
    assert len(wide.train.traits.columns) == 10_000


def test_a_long_file_has_one_name_for_each_category(table):
    rows = [f"{spot % 2}.0,red,{spot / 7},{spot % 4 // 2}" for spot in range(140_000)]
    rows += [f"?,red,{spot / 9},{spot % 2}" for spot in range(40)]
    assert table(text_of(rows)).train.traits.columns[0].categories == ("0.0", "1.0", "?")


@pytest.mark.parametrize("seed", range(3))
def test_a_row_that_is_most_of_its_class_is_learned_from_whatever_the_seed(table, seed):
    rows = ["7,red,1.5,no"] * 300 + list(map(line, range(100)))
    split = table(text_of(rows), split_seed=seed)
    assert split.train.counts()[0] > 300
    assert 15 <= split.test.counts()[0] <= 22, "a quarter of the 75 others"
    assert split.test.counts()[1] == 6, "a quarter of 25"
    assert split.reading["duplicates"]["train_in_test"] == 0


def test_rows_without_a_group_are_refused(table):
    rows = [f"{line(spot)},{'' if spot % 3 else spot // 8}" for spot in range(80)]
    with pytest.raises(FillbenchError, match="53 rows have no value in the --group column 'patient'"):
        table(text_of(rows, f"{HEADER},patient"), group="patient")


def test_large_numbers_are_told_of_with_a_test_file_too(table, tmp_path):
    text = text_of([f"{1_700_000_000 + spot % 60},{line(spot)}" for spot in range(120)], f"time,{HEADER}")
    (tmp_path / "later.csv").write_text(text)
    warnings = table(text, test=str(tmp_path / "later.csv")).reading["warnings"]
    assert sum("large numbers that differ by little" in warning for warning in warnings) == 1


def test_rows_that_repeat_but_for_an_id_stay_on_one_side(table):
    rows = [f"p{spot}x,{line(spot % 40)}" for spot in range(80)]
    assert table(text_of(rows, f"id,{HEADER}")).reading["duplicates"]["train_in_test"] == 0


def test_rows_that_repeat_stay_on_one_side(table):
    split = table(text_of([line(spot % 40) for spot in range(80)]))
    assert split.reading["repeated_rows"] == 40
    assert split.reading["duplicates"]["train_in_test"] == 0
    assert any("the split keeps them on one side" in text for text in split.reading["warnings"])


def test_groups_stay_on_one_side_and_are_no_column(table):
    rows = [f"{line(spot)},{'p' if spot % 2 else 'q'}{spot // 8}" for spot in range(80)]
    split = table(text_of(rows, f"{HEADER},patient"), group="patient")
    assert "patient" not in [column.name for column in split.train.traits.columns]
    group_of = {float(f"{spot / 3:.2f}"): row.rpartition(",")[2] for spot, row in enumerate(rows)}
    sides = [{group_of[round(float(price), 2)] for price in part.x[:, 2]} for part in (split.train, split.test)]
    assert not sides[0] & sides[1]


def test_rows_that_repeat_in_another_group_are_told_and_can_be_dropped(table):
    text = text_of([f"{line(spot % 40)},p{spot // 8}" for spot in range(80)], f"{HEADER},patient")
    reading = table(text, group="patient").reading
    shared = reading["duplicates"]["train_in_test"]
    assert shared
    assert any(f"{shared} of the" in warning and "rows are test rows too" in warning for warning in reading["warnings"])
    split = table(text, group="patient", deduplicate=True)
    assert not {row.tobytes() for row in split.train.x} & {row.tobytes() for row in split.test.x}


def test_names_may_hold_anything(table):
    split = table(text_of(map(line, range(80)), '"a,b","q""q",\N{GRINNING FACE},buys'))
    assert [column.name for column in split.train.traits.columns] == ["a,b", 'q"q', "\N{GRINNING FACE}"]


@pytest.mark.parametrize(
    ("column", "warning"),
    [
        ([f"id{spot}" for spot in range(120)], "another text in every row, such as 'id"),
        ([str(spot) for spot in range(120)], "another whole number in every row: if that is an id, --drop it"),
        (["?" if spot % 9 == 0 else str(spot % 5) for spot in range(120)], "holds numbers, but also '?'"),
        ([f"2020-01-{spot % 9 + 1:02d}" for spot in range(120)], "holds dates, such as '2020-01-01'"),
        (["" for spot in range(120)], "has no value in any row; it is left out"),
        ([str(1_700_000_000 + spot % 60) for spot in range(120)], "large numbers that differ by little"),
    ],
    ids=["text ids", "whole ids", "mixed", "dates", "empty", "large"],
)
def test_what_looks_wrong_in_a_column_is_told(table, column, warning):
    rows = [f"{value},{line(spot)}" for spot, value in enumerate(column)]
    warnings = table(text_of(rows, f"odd,{HEADER}")).reading["warnings"]
    assert any(warning in text and "'odd'" in text for text in warnings), warnings


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        (None, {"target": None}, "give the column that holds the classes, --target COLUMN"),
        (None, {"target": "buy"}, "has no column 'buy'; did you mean 'buys'"),
        (None, {"drop": ("prise",)}, "has no column 'prise'; did you mean 'price'"),
        (None, {"numeric": ("colour",)}, "--numeric: column 'colour' holds '(blue|red)', which is no number"),
        (None, {"positive": "maybe"}, "'buys' has no 'maybe'"),
        (None, {"test": "nowhere.csv"}, "'nowhere.csv' does not exist"),
        (None, {"flip": True}, "--flip is for folder:DIR and npz:FILE"),
        ("", {}, "is empty"),
        (HEADER, {}, "has a header, but no rows"),
        ("size\n1\n2", {"target": "size"}, "has one column, 'size'"),
        ("size,size,buys\n1,2,3", {}, "has two columns named 'size'"),
        (text_of(["1,red,2,yes", "1,red,2,yes,more"]), {}, "has rows of different lengths"),
        ("größe,buys\n1,é\n".encode("latin1"), {}, "is not UTF-8 text"),
        (text_of([f"{spot},red,1,yes" for spot in range(9)]), {}, "is 'yes' in every row; a classifier needs two"),
        (text_of([f"{spot},red,1,{spot if spot else ''}" for spot in range(9)]), {}, "1 of 9 values of the target"),
        (text_of([f"1,red,1,{spot / 7}" for spot in range(200)]), {}, "distinct numbers, such as 0.0: .* regress"),
        (text_of(["inf,red,1,yes", *map(line, range(80))]), {}, "holds infinity"),
        (text_of([*map(line, range(80)), "1,red,2,once"]), {}, "class 'once' has fewer than 4 rows"),
        (text_of([f"{spot},{line(spot)}" for spot in range(80)]), {}, "has rows with one field more than its header"),
        (SHOP, {"drop": ("size", "colour", "price")}, "has no column to learn from besides the target"),
        (SHOP, {"numeric": ("size",), "categorical": ("size",)}, "'size' is in --numeric and in --categorical"),
    ],
)
def test_what_cannot_be_read_is_refused_with_a_reason(table, text, options, message):
    with pytest.raises(FillbenchError, match=message):
        table(SHOP if text is None else text, **options)


def test_parquet_files_are_read_or_the_package_for_it_is_named(tmp_path):
    (tmp_path / "a.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(FillbenchError, match=r"cannot be read as Parquet|need pyarrow"):
        load(f"parquet:{tmp_path / 'a.parquet'}", tmp_path, target="y")


def test_a_parquet_file_keeps_its_types(tmp_path):
    pytest.importorskip("pyarrow", reason="needs the extra [tables]")
    frame = pd.DataFrame(
        {
            0: np.arange(40) / 7,
            "n": pd.array([None, *range(39)], "Int64"),
            "word": ["nan", "x", None, "None"] * 10,
            "money": [Decimal(spot) / 4 for spot in range(40)],
            "zip": [f"0{spot % 5}" for spot in range(40)],
            "y": ["a", "b"] * 20,
        }
    )
    frame.columns = frame.columns.map(str)
    frame.to_parquet(tmp_path / "shop.parquet")
    split = load(f"parquet:{tmp_path / 'shop.parquet'}", tmp_path, target="y")
    columns = {column.name: column for column in split.train.traits.columns}
    assert columns["word"].categories == ("None", "nan", "x")
    assert columns["money"].categories is None
    assert columns["zip"].categories == ("00", "01", "02", "03", "04")
    assert (columns["n"].whole, columns["n"].missing) == (True, True)
    assert np.isnan(np.concatenate([split.train.x, split.test.x])).sum() == 11
    frame.assign(lists=[[1, 2]] * 40).to_parquet(tmp_path / "lists.parquet")
    with pytest.raises(
        FillbenchError, match=r"column 'lists' holds \[1, 2\], which is no single value|column 'lists' holds array"
    ):
        load(f"parquet:{tmp_path / 'lists.parquet'}", tmp_path, target="y")


def test_the_built_in_table_is_scikit_learns(tmp_path):
    from sklearn.datasets import load_breast_cancer

    split = load("breast-cancer", Path())
    theirs = load_breast_cancer()
    ours = np.concatenate([split.train.x, split.test.x])
    assert sorted(map(tuple, ours.tolist())) == sorted(map(tuple, theirs.data.astype(np.float32).tolist()))
    assert split.train.class_names == tuple(theirs.target_names)
    assert (split.train.counts() + split.test.counts()).tolist() == np.bincount(theirs.target).tolist()
