"""A user's own tables: columns of data frames become numbers and categories."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import FillbenchError, did_you_mean
from .base import DataSet, Labels, Split
from .duplicates import identities
from .frame_files import form_of, read_frame
from .names import plain
from .reading import Notes, ReadOptions
from .split import Indices, hold_back, hold_back_repeats
from .tables import Column, Rows, TableTraits

if TYPE_CHECKING:
    import pandas as pd

MANY_CLASSES = 20  # distinct fractions in a target are numbers to predict, not classes
MANY = 1000  # categories
LARGEST = 2.0**62  # of what 64 bits hold
DATE = r"\d{1,4}[-/.]\d{1,2}"


def load_csv(path: Path, options: ReadOptions, notes: Notes) -> Split:
    """Reads a CSV file, see `load_frame`."""
    return load_frame(path, "csv", options, notes)


def load_parquet(path: Path, options: ReadOptions, notes: Notes) -> Split:
    """Reads a Parquet file, see `load_frame`."""
    return load_frame(path, "parquet", options, notes)


def load_frame(path: Path, form: str, options: ReadOptions, notes: Notes) -> Split:
    """Reads a table with its target; the test part is another file, or a quarter of each class.

    Raises FillbenchError for a file, a target or a column that will not do.
    """
    if options.target is None:
        raise FillbenchError(f"'{path}' is a table: give the column that holds the classes, --target COLUMN")
    frame = read_frame(path, form, options.target)
    other = None
    if options.test is not None:
        test = Path(options.test).expanduser()
        other = read_frame(test, form_of(test), options.target)
        _same_columns(list(frame.columns), list(other.columns), options.test)
    return split_of(path.stem, frame, other, options, notes)


def split_of(name: str, frame: pd.DataFrame, other: pd.DataFrame | None, options: ReadOptions, notes: Notes) -> Split:
    """A frame that has the column `options.target` as a split; `other` has the test rows, or a quarter is held back.

    Raises FillbenchError for a target or a column that will not do.
    """
    _check_named(name, list(frame.columns), options)
    classes = _classes([frame, *([] if other is None else [other])], options)
    labels = _labels(frame, options, classes)
    gone = [name for name in (options.target, *options.drop, options.group) if name is not None]
    features = frame.drop(columns=gone)
    columns = columns_of(features, options, notes)
    if not columns:
        raise FillbenchError("; ".join([f"'{name}' has no column to learn from besides the target", *notes.warnings]))
    if other is None:
        groups = None if options.group is None else _groups(frame[options.group])
        whole = rows_of(features, columns, Notes())
        rows, held = _held_back(whole, labels, classes, groups, options.split_seed, notes)
        parts = features.iloc[rows], features.iloc[held]
        targets = labels[rows], labels[held]
        notes.facts["split"] = f"a quarter of each class held back for testing, by seed {options.split_seed}"
    else:
        parts = features, other[features.columns]
        targets = labels, _labels(other, options, classes)
        notes.facts["split"] = f"train and test as given: '{options.test}'"
    columns = seen_in(columns, *parts, notes)
    traits = TableTraits(tuple(columns))
    if any(column.missing for column in columns):
        notes.facts["missing_values"] = (
            "stay missing; for what takes none, a number is the median, with a column that says so, and a category is "
            "one more"
        )
    train, held_out = (
        DataSet(rows_of(part, columns, told), of_part, classes, traits)
        for part, of_part, told in zip(parts, targets, (notes, Notes()), strict=True)
    )
    return Split(name, train, held_out)


def _check_named(table: str, names: list[str], options: ReadOptions) -> None:
    for column in (options.target, *options.drop, *options.categorical, *options.numeric, options.group):
        if column is not None and column not in names:
            raise FillbenchError(f"'{table}' has no column '{column}'; {did_you_mean(column, names)}")
    if both := sorted({*options.numeric} & {*options.categorical}):
        raise FillbenchError(f"column '{both[0]}' is in --numeric and in --categorical; leave one of them")
    for name in ("group", "split_seed"):
        if options.test is not None and getattr(options, name):
            raise FillbenchError(
                f"--{name.replace('_', '-')} splits a table, and --test has the test rows: leave one out"
            )


def _same_columns(names: Sequence[str], others: Sequence[str], test: str) -> None:
    if lacking := [name for name in names if name not in others]:
        raise FillbenchError(f"--test '{test}' has no column '{lacking[0]}'; {did_you_mean(lacking[0], others)}")


def _classes(frames: Sequence[pd.DataFrame], options: ReadOptions) -> tuple[str, ...]:
    """The names of the classes. Raises FillbenchError for a target that is none."""
    import pandas as pd

    target = str(options.target)
    values = pd.concat([frame[target] for frame in frames])
    if missing := int(values.isna().sum()):
        raise FillbenchError(f"{missing} of {len(values)} values of the target '{target}' are missing; drop these rows")
    distinct = values.unique()
    if values.dtype.kind == "f" and (values % 1 != 0).any() and len(distinct) > MANY_CLASSES:
        raise FillbenchError(
            f"the target '{target}' has {len(distinct)} distinct numbers, such as {distinct[0]}: that is something to "
            "regress on, not classes"
        )
    ordered = sorted(distinct.tolist()) if values.dtype.kind in "biuf" else sorted(map(name_of, distinct))
    names = tuple(dict.fromkeys(map(name_of, ordered)))
    if len(names) < 2:
        raise FillbenchError(f"the target '{target}' is '{names[0]}' in every row; a classifier needs two classes")
    positive = options.positive
    if positive is None:
        return names
    if positive not in names:
        raise FillbenchError(f"--positive: '{target}' has no '{positive}'; {did_you_mean(positive, names)}")
    return (f"not {positive}", positive)


def name_of(value: Any) -> str:
    """The name of a class or category: 1 for 1.0."""
    return plain(str(int(value)) if isinstance(value, float) and value.is_integer() else str(value))


def _labels(frame: pd.DataFrame, options: ReadOptions, classes: Sequence[str]) -> Labels:
    names = frame[options.target].map(name_of)
    if options.positive is not None:
        return np.asarray(names == options.positive, np.int64)
    return np.asarray(names.map({name: label for label, name in enumerate(classes)}), np.int64)


def _groups(values: pd.Series) -> list[str]:
    if missing := int(values.isna().sum()):
        raise FillbenchError(f"{missing} rows have no value in the --group column '{values.name}'; drop or name them")
    return values.astype(str).tolist()


def _held_back(
    x: Rows, labels: Labels, classes: Sequence[str], groups: Sequence[str] | None, seed: int, notes: Notes
) -> tuple[Indices, Indices]:
    """The split; without groups, rows that repeat stay on one side."""
    same = identities(x)
    repeated = len(x) - len(np.unique(same))
    if groups is not None or not repeated:
        return hold_back(labels, classes, groups, "rows", seed)
    notes.facts["repeated_rows"] = repeated
    notes.warn(f"{repeated} of {len(x)} rows repeat another one; the split keeps them on one side")
    return hold_back_repeats(labels, classes, same, seed)


def columns_of(frame: pd.DataFrame, options: ReadOptions, notes: Notes) -> list[Column]:
    """What each column holds, by its type in pandas and what the options say; warns of what looks wrong.

    Left out are columns without a value, and those with another text in every row.
    Raises FillbenchError for infinity, and for text where numbers were asked for.
    """
    found = []
    for name in frame.columns:
        values = frame[name]
        if values.isna().all():
            notes.warn(f"column '{name}' has no value in any row; it is left out")
            continue
        column = _column(name, values, options, notes)
        if column is not None:
            found.append(replace(column, missing=bool(values.isna().any())))
    return found


def _column(name: str, values: pd.Series, options: ReadOptions, notes: Notes) -> Column | None:
    import pandas as pd

    there = values.dropna()
    _check_single(name, values, there)
    numeric = pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values)
    if name in options.categorical or isinstance(values.dtype, pd.CategoricalDtype):
        return _category(name, there, notes)
    if numeric:
        return _number(name, pd.to_numeric(there).to_numpy(np.float64), notes)
    as_numbers = pd.to_numeric(there.map(name_of), errors="coerce")
    odd = there[as_numbers.isna()]
    if name in options.numeric and len(odd):
        raise FillbenchError(f"--numeric: column '{name}' holds '{odd.iloc[0]}', which is no number")
    text = there.map(lambda value: isinstance(value, str | bool | np.bool_)).any()
    if name in options.numeric or not text:
        return _number(name, as_numbers.to_numpy(np.float64), notes)
    if 0 < len(odd) < len(there) / 2:
        notes.warn(
            f"column '{name}' holds numbers, but also '{odd.iloc[0]}': it is taken for categories; mend the file"
        )
    elif _dates(there.map(name_of)):
        notes.warn(
            f"column '{name}' holds dates, such as '{there.iloc[0]}': they are taken for categories, or --drop it"
        )
    return _category(name, there, notes)


def _check_single(name: str, values: pd.Series, there: pd.Series) -> None:
    """Raises FillbenchError for what is neither numbers nor names."""
    import pandas as pd

    if isinstance(values.dtype, pd.SparseDtype) or values.dtype.kind == "c":
        raise FillbenchError(f"column '{name}' holds {values.dtype} values; make them plain numbers, or --drop it")
    if not pd.api.types.is_scalar(there.iloc[0]):
        raise FillbenchError(f"column '{name}' holds {there.iloc[0]!r}, which is no single value; --drop it")


def _number(name: str, numbers: np.ndarray, notes: Notes) -> Column:
    if infinite := int(np.isinf(numbers).sum()):
        raise FillbenchError(f"column '{name}' holds infinity in {infinite} rows; leave them out, or the column")
    whole = bool((numbers == numbers.round()).all())
    if whole and len(np.unique(numbers)) == len(numbers) > MANY_CLASSES:
        notes.warn(f"column '{name}' is another whole number in every row: if that is an id, --drop it")
    return Column(name, whole=whole)


def _category(name: str, there: pd.Series, notes: Notes) -> Column | None:
    distinct = sorted(there.map(name_of).unique())
    if len(distinct) == len(there) > MANY_CLASSES:
        notes.warn(f"column '{name}' is another text in every row, such as '{distinct[0]}'; it is left out")
        return None
    if len(distinct) > MANY:
        notes.warn(f"column '{name}' has {len(distinct)} categories, a lot to learn from; if it is an id, --drop it")
    return Column(name, tuple(distinct))


def _dates(words: pd.Series) -> bool:
    import pandas as pd

    few = words.head(20)
    if not few.str.contains(DATE, regex=True).all():
        return False
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return bool(pd.to_datetime(few, errors="coerce").notna().all())


def seen_in(columns: Sequence[Column], train: pd.DataFrame, test: pd.DataFrame, notes: Notes) -> list[Column]:
    """The columns with the categories of the training part: what only the test part has is missing there.

    Raises FillbenchError for text in a test column whose training part holds numbers.
    """
    import pandas as pd

    found = []
    for column in columns:
        own, others = train[column.name].dropna(), test[column.name].dropna()
        missing = len(own) < len(train) or len(others) < len(test)
        if column.categories is None:
            odd = others[pd.to_numeric(others.map(name_of), errors="coerce").isna()]
            if len(odd):
                raise FillbenchError(f"column '{column.name}' holds numbers, and '{odd.iloc[0]}' in the test part")
            found.append(replace(column, missing=missing))
            continue
        known, words = set(own.map(name_of)), others.map(name_of)
        if unseen := sorted(set(words) - known):
            rows = int(words.isin(unseen).sum())
            notes.warn(f"column '{column.name}': no training row has '{unseen[0]}'; it is missing in {rows} test rows")
        found.append(Column(column.name, tuple(sorted(known)), missing=missing or bool(unseen)))
    return found


def frame_of(data: DataSet, target: str) -> pd.DataFrame:
    """Rows as they would be read: the names of categories, and the class in the column `target`."""
    import pandas as pd

    columns: dict[str, Any] = {}
    for column, values in zip(data.traits.columns, data.x.T, strict=True):
        if column.categories is not None:
            names = [None if np.isnan(code) else column.categories[int(code)] for code in values]
            columns[column.name] = pd.Series(names, dtype=object)
        else:
            small = column.whole and (np.abs(values[~np.isnan(values)]) < LARGEST).all()
            columns[column.name] = pd.Series(values).astype("Int64") if small else values
    return pd.DataFrame({**columns, target: [data.class_names[label] for label in data.labels]})


def rows_of(frame: pd.DataFrame, columns: Sequence[Column], notes: Notes) -> Rows:
    """The rows (N, F) float32 of a frame that has these columns; warns of numbers that float32 cannot tell apart.

    Raises FillbenchError for a number that it cannot hold.
    """
    import pandas as pd

    x = np.empty((len(frame), len(columns)), np.float32)
    for spot, column in enumerate(columns):
        values = frame[column.name]
        if column.categories is not None:
            codes = {name: float(code) for code, name in enumerate(column.categories)}
            known = values.map(lambda value, codes=codes: codes.get(name_of(value), np.nan), na_action="ignore")
            x[:, spot] = known.astype(float)
            continue
        numbers = pd.to_numeric(values, errors="coerce").to_numpy(np.float64, na_value=np.nan)
        with np.errstate(over="ignore"):
            x[:, spot] = numbers
        if np.isinf(x[:, spot]).any():
            raise FillbenchError(f"column '{column.name}' holds infinity, or more than 3e38")
        if 2 * len(np.unique(x[:, spot])) < len(np.unique(numbers)):
            notes.warn(
                f"column '{column.name}' holds large numbers that differ by little, which become the same; --drop it"
            )
    return x + 0.0  # -0.0 would be another row to the last bit
