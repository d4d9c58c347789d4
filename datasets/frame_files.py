"""CSV and Parquet files as data frames, or a word on what is wrong with them."""

from __future__ import annotations

import csv
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from ..errors import FillbenchError

if TYPE_CHECKING:
    import pandas as pd

SEPARATORS = ",;\t|"
DECIMAL_COMMA = r"[-+]?\d*(,\d+)?"


def read_frame(path: Path, form: str, target: str | None = None, *, text: bool = False) -> pd.DataFrame:
    """A 'csv' or 'parquet' file as it stands; in the column `target` of a CSV file, only an empty field is missing.

    `text`: of a CSV file, every field as it is written.

    Raises FillbenchError where it cannot be read.
    """
    if not path.is_file():
        raise FillbenchError(f"file '{path}' does not exist")
    frame = _parquet(path) if form == "parquet" else _csv(path, target, text)
    if frame.empty:
        raise FillbenchError(f"'{path}' has a header, but no rows")
    frame.columns = frame.columns.map(str)
    return frame


def form_of(path: Path) -> str:
    """'parquet' or 'csv', by the file's name."""
    return "parquet" if path.suffix in (".parquet", ".pq") else "csv"


def _parquet(path: Path) -> pd.DataFrame:
    import pandas as pd

    try:
        frame = pd.read_parquet(path)
    except ImportError:
        raise FillbenchError("Parquet files need pyarrow: pip install pyarrow, or give a CSV file") from None
    except Exception as error:
        raise FillbenchError(f"'{path}' cannot be read as Parquet: {_line(error)}") from None
    return frame


def _csv(path: Path, target: str | None, text: bool) -> pd.DataFrame:
    import pandas as pd

    separator = _separator(path)
    common = {
        "sep": separator,
        "index_col": False,
        "skipinitialspace": True,
        "encoding": "utf-8-sig",
        "low_memory": False,  # or a column would have other types further down
    }

    def read(**options: Any) -> pd.DataFrame:
        return cast("pd.DataFrame", pd.read_csv(path, **common, **options))  # type: ignore[call-overload]

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)
            if text:
                return read(dtype=str, keep_default_na=False, na_values=[""])
            frame = read()
            if separator != "," and any(_decimal_comma(frame[name]) for name in frame.select_dtypes(exclude="number")):
                frame = read(decimal=",")
            if target in frame.columns:  # a class may be called None, or NA
                frame[target] = read(usecols=[target], keep_default_na=False, na_values=[""])[target]
    except UnicodeDecodeError:
        raise _no_text(path) from None
    except pd.errors.ParserWarning:
        raise FillbenchError(
            f"'{path}' has rows with one field more than its header: row names without a head?"
        ) from None
    except pd.errors.ParserError as error:
        raise FillbenchError(f"'{path}' has rows of different lengths: {_line(error).removeprefix('Error ')}") from None
    return frame


def _decimal_comma(values: pd.Series) -> bool:
    there = values.dropna().astype(str)
    return bool(there.str.contains(",").any() and there.str.fullmatch(DECIMAL_COMMA).all())


def _line(error: Exception) -> str:
    return " ".join(str(error).split())


def _separator(path: Path) -> str:
    """What stands between the fields of a CSV file. Raises FillbenchError for another encoding, or a bad header."""
    try:
        headers = {sign: _header(path, sign) for sign in SEPARATORS}
    except UnicodeDecodeError:
        raise _no_text(path) from None
    separator = max(SEPARATORS, key=lambda sign: (len(headers[sign]), -SEPARATORS.index(sign)))
    header = headers[separator]
    if not header:
        raise FillbenchError(f"'{path}' is empty")
    if len(header) < 2:
        raise FillbenchError(
            f"'{path}' has one column, '{header[0][:40]}'; fields are separated by a comma, semicolon, tab or |"
        )
    if twice := sorted({name for name in header if header.count(name) > 1}):
        raise FillbenchError(f"'{path}' has two columns named '{twice[0]}'; rename one")
    return separator


def _no_text(path: Path) -> FillbenchError:
    return FillbenchError(f"'{path}' is not UTF-8 text; convert it: iconv -f latin1 -t utf-8")


def _header(path: Path, separator: str) -> list[str]:
    """The first record that is not blank, as fields; none in an empty file, or where a field would be endless."""
    with path.open(encoding="utf-8-sig") as file:
        records: Iterator[list[str]] = csv.reader(file, delimiter=separator, skipinitialspace=True)
        try:
            return next(([field.strip() for field in record] for record in records if any(map(str.strip, record))), [])
        except csv.Error:
            return []
