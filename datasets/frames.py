"""A user's own tables: CSV and Parquet files, whose columns become numbers and categories."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import FillbenchError, did_you_mean
from .base import DataSet, Labels, Split
from .duplicates import identities
from .names import plain
from .reading import Notes, ReadOptions
from .split import hold_back
from .tables import Column, Rows, TableTraits

if TYPE_CHECKING:
    import pandas as pd

HEAD = 1 << 16  # characters in which a separator is looked for
SEPARATORS = ",;\t|"
MANY_CLASSES = 20  # distinct fractions in a target are numbers to predict, not classes
MANY = 1000  # categories


def load_frame(path: Path, options: ReadOptions, notes: Notes) -> Split:
    """Reads a table with its target; the test part is another file, or a quarter of each class.

    Raises FillbenchError for a file or a target that will not do.
    """
    if options.target is None:
        raise FillbenchError(f"'{path}' is a table: give the column that holds the classes, --target COLUMN")
    frame = read_frame(path)
    names = [str(name) for name in frame.columns]
    for column in (options.target, *options.drop, *options.categorical, *options.numeric, options.group):
        if column is not None and column not in names:
            raise FillbenchError(f"'{path}' has no column '{column}'; {did_you_mean(column, names)}")
    other = read_frame(Path(options.test).expanduser()) if options.test else None
    if other is not None:
        _same_columns(names, [str(name) for name in other.columns], options.test)
    classes = _classes([frame, *([] if other is None else [other])], options)
    labels, class_names = _labels(frame, options, classes), classes
    groups = None if options.group is None else frame[options.group].astype(str).tolist()
    gone = [name for name in (options.target, *options.drop, options.group) if name is not None]
    features = frame.drop(columns=gone)
    if other is None:
        rows, held = hold_back(
            labels, class_names, groups or _whole_duplicates(features, notes), "rows", options.split_seed
        )
        parts = features.iloc[rows], features.iloc[held]
        targets = labels[rows], labels[held]
        notes.facts["split"] = f"a quarter of each class held back for testing, by seed {options.split_seed}"
    else:
        parts = features, other[features.columns]
        targets = labels, _labels(other, options, classes)
        notes.facts["split"] = f"train and test as given: '{options.test}'"
    traits = TableTraits(tuple(columns_of(parts[0], parts[1], options, notes)))
    train, test = (
        DataSet(rows_of(part, traits, notes, what), of_part, class_names, traits)
        for part, of_part, what in zip(parts, targets, ("train", "test"), strict=True)
    )
    return Split(path.stem, train, test)


def read_frame(path: Path) -> pd.DataFrame:
    """A CSV or Parquet file as it stands. Raises FillbenchError where it cannot be read."""
    import pandas as pd

    if not path.is_file():
        raise FillbenchError(f"file '{path}' does not exist")
    if path.suffix in (".parquet", ".pq"):
        try:
            return pd.read_parquet(path)
        except ImportError:
            raise FillbenchError("Parquet files need pyarrow: pip install pyarrow, or give a CSV file") from None
        except Exception as error:
            raise FillbenchError(f"'{path}' cannot be read as Parquet: {_line(error)}") from None
    separator = _separator(path)
    try:
        frame = pd.read_csv(path, sep=separator, index_col=False, skipinitialspace=True, encoding="utf-8-sig")
    except pd.errors.ParserError as error:
        raise FillbenchError(f"'{path}' has rows of different lengths: {_line(error).removeprefix('Error ')}") from None
    if frame.empty:
        raise FillbenchError(f"'{path}' has a header, but no rows")
    return frame


def _line(error: Exception) -> str:
    return " ".join(str(error).split())


def _separator(path: Path) -> str:
    """What stands between the fields of a CSV file. Raises FillbenchError for another encoding, or a bad header."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            head = file.read(HEAD)
            for _ in iter(lambda: file.read(1 << 20), ""):
                pass  # whatever is no UTF-8 further down
    except UnicodeDecodeError as error:
        raise FillbenchError(
            f"'{path}' is not UTF-8 text (byte {error.start}); convert it: iconv -f latin1 -t utf-8"
        ) from None
    if not head.strip():
        raise FillbenchError(f"'{path}' is empty")
    first = head.partition("\n")[0]
    separator = max(SEPARATORS, key=lambda sign: (len(_fields(first, sign)), -SEPARATORS.index(sign)))
    header = [name.strip() for name in _fields(first, separator)]
    if len(header) < 2:
        raise FillbenchError(
            f"'{path}' has one column, '{first.strip()[:40]}'; fields are separated by a comma, semicolon, tab or |"
        )
    if twice := sorted({name for name in header if header.count(name) > 1}):
        raise FillbenchError(f"'{path}' has two columns named '{twice[0]}'; rename one")
    return separator


def _fields(line: str, separator: str) -> list[str]:
    return next(csv.reader(io.StringIO(line), delimiter=separator, skipinitialspace=True), [])


def _same_columns(names: Sequence[str], others: Sequence[str], test: str | None) -> None:
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
    if len(distinct) < 2:
        raise FillbenchError(f"the target '{target}' is '{distinct[0]}' in every row; a classifier needs two classes")
    ordered = sorted(distinct.tolist()) if values.dtype.kind in "biuf" else sorted(map(str, distinct))
    names = tuple(map(name_of, ordered))
    if options.positive is None:
        return names
    if options.positive not in names:
        raise FillbenchError(
            f"--positive: '{target}' has no '{options.positive}'; {did_you_mean(options.positive, names)}"
        )
    return (f"not {options.positive}", options.positive)


def name_of(value: Any) -> str:
    """A class's name: 1 for 1.0."""
    return plain(str(int(value)) if isinstance(value, float) and value.is_integer() else str(value))


def _labels(frame: pd.DataFrame, options: ReadOptions, classes: Sequence[str]) -> Labels:
    names = frame[options.target].map(name_of)
    if options.positive is not None:
        return np.asarray(names == options.positive, np.int64)
    return np.asarray(names.map({name: label for label, name in enumerate(classes)}), np.int64)


def _whole_duplicates(features: pd.DataFrame, notes: Notes) -> list[str] | None:
    """Which rows are the same, so that the split keeps them on one side; None where none are."""
    numbers = features.apply(lambda column: column.astype("category").cat.codes).to_numpy(np.int32)
    same = identities(numbers)
    repeated = len(same) - len(np.unique(same))
    if not repeated:
        return None
    notes.facts["repeated_rows"] = repeated
    notes.warn(f"{repeated} of {len(same)} rows repeat another one; the split keeps them on one side")
    return [str(number) for number in same]


def columns_of(train: pd.DataFrame, test: pd.DataFrame, options: ReadOptions, notes: Notes) -> list[Column]:
    """What each column holds, by its type in pandas and what the options say; warns of what looks wrong.

    Raises FillbenchError for infinity, and for text where numbers were asked for.
    """
    found = []
    for name in map(str, train.columns):
        values, others = train[name], test[name]
        if values.isna().all():
            notes.warn(f"column '{name}' has no value in any training row; it is left out")
            continue
        column = _column(name, values, options, notes)
        if column is not None:
            found.append(replace(column, missing=bool(values.isna().any() or others.isna().any())))
    if not found:
        raise FillbenchError("the table has no column besides the target")
    return [_with_unseen(column, test[column.name], notes) for column in found]


def _column(name: str, values: pd.Series, options: ReadOptions, notes: Notes) -> Column | None:
    import pandas as pd

    there = values.dropna()
    numeric = pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values)
    if name in options.numeric and not numeric:
        wrong = there[pd.to_numeric(there, errors="coerce").isna()]
        if len(wrong):
            raise FillbenchError(f"--numeric: column '{name}' holds '{wrong.iloc[0]}', which is no number")
        numeric = True
    if numeric and name not in options.categorical:
        numbers = pd.to_numeric(there).to_numpy(np.float64)
        if len(spots := np.flatnonzero(np.isinf(numbers))):
            raise FillbenchError(f"column '{name}' holds infinity in {len(spots)} rows; leave them out, or the column")
        whole = bool((numbers == numbers.round()).all())
        if whole and len(np.unique(numbers)) == len(values) > MANY_CLASSES:
            notes.warn(f"column '{name}' is another whole number in every row: if that is an id, --drop it")
        return Column(name, whole=whole)
    words = there.map(name_of)
    distinct = sorted(words.unique())
    if len(distinct) == len(values):
        notes.warn(f"column '{name}' is another text in every row, such as '{distinct[0]}'; it is left out")
        return None
    as_numbers = pd.to_numeric(words, errors="coerce")
    if not numeric and 0.5 < as_numbers.notna().mean() < 1:
        odd = words[as_numbers.isna()].iloc[0]
        notes.warn(f"column '{name}' holds numbers, but also '{odd}': it is taken for categories; mend the file if not")
    elif not numeric and _dates(words):
        notes.warn(f"column '{name}' holds dates, such as '{distinct[0]}': they are taken for categories, or --drop it")
    if len(distinct) > MANY:
        notes.warn(
            f"column '{name}' has {len(distinct)} categories, which is a lot to learn from; --drop it if it is an id"
        )
    return Column(name, tuple(distinct))


def _dates(words: pd.Series) -> bool:
    import warnings

    import pandas as pd

    few = words.head(20)
    if not few.str.contains(r"\d{1,4}[-/.]\d{1,2}", regex=True).all():
        return False
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return bool(pd.to_datetime(few, errors="coerce").notna().all())


def _with_unseen(column: Column, values: pd.Series, notes: Notes) -> Column:
    """The column, which may miss values where the test part has categories that the training part has not."""
    if column.categories is None:
        return column
    words = values.dropna().map(name_of)
    if unseen := sorted(set(words) - set(column.categories)):
        rows = int(words.isin(unseen).sum())
        notes.warn(f"column '{column.name}': no training row has '{unseen[0]}'; it is missing in {rows} test rows")
        return replace(column, missing=True)
    return column


def frame_of(data: DataSet, target: str) -> pd.DataFrame:
    """Rows as they would be read: the names of categories, and the class in the column `target`."""
    import pandas as pd

    columns: dict[str, Any] = {}
    for column, values in zip(data.traits.columns, data.x.T, strict=True):
        if column.categories is not None:
            names = [None if np.isnan(code) else column.categories[int(code)] for code in values]
            columns[column.name] = pd.Series(names, dtype=object)
        else:
            columns[column.name] = pd.Series(values).astype("Int64") if column.whole else values
    return pd.DataFrame({**columns, target: [data.class_names[label] for label in data.labels]})


def rows_of(frame: pd.DataFrame, traits: TableTraits, notes: Notes, what: str) -> Rows:
    """The rows (N, F) float32 of a frame that has the columns of `traits`.

    Raises FillbenchError for a value that float32 cannot hold.
    """
    import pandas as pd

    x = np.empty((len(frame), len(traits.columns)), np.float32)
    for spot, column in enumerate(traits.columns):
        values = frame[column.name]
        if column.categories is not None:
            codes = {name: float(code) for code, name in enumerate(column.categories)}
            x[:, spot] = values.map(lambda value, codes=codes: codes.get(name_of(value), np.nan)).astype(float)
            continue
        with np.errstate(over="ignore"):
            x[:, spot] = pd.to_numeric(values, errors="coerce").to_numpy(np.float64, na_value=np.nan)
        if np.isinf(x[:, spot]).any():
            raise FillbenchError(f"column '{column.name}' holds infinity, or more than 3e38, in the {what} part")
    return x
