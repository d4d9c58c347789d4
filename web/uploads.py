"""What a visitor drops on the page, as examples of the run's kind of data: decoded in memory, never written."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np

from ..datasets.base import Array
from ..datasets.decode import Uploaded, read_uploaded
from ..datasets.frames import rows_of
from ..datasets.reading import Notes
from ..datasets.tables import Column
from ..errors import FillbenchError, did_you_mean
from ..records import DatasetInfo

MOST_MEGAPIXELS = 24.0
MOST_ROWS = 200


def image_of(content: bytes, name: str, data: DatasetInfo) -> Array:
    """One image in the shape of the data set. Raises FillbenchError."""
    about: dict[str, Any] = {**data}
    reading = about["reading"]
    bits, ground = reading.get("bits") or 8, reading.get("ground") or "white"
    return read_uploaded(Uploaded(content, name), tuple(data["shape"]), bits, ground, MOST_MEGAPIXELS)


def rows_in(content: bytes, name: str, data: DatasetInfo) -> Array:
    """The rows of a CSV file with the columns of the data set; others are left alone. Raises FillbenchError."""
    import pandas as pd

    try:
        frame = pd.read_csv(io.BytesIO(content), skipinitialspace=True, encoding="utf-8-sig", nrows=MOST_ROWS + 1)
    except (ValueError, pd.errors.ParserError) as error:
        raise FillbenchError(f"'{name}' is no CSV file that can be read ({str(error).splitlines()[0]})") from None
    if not 0 < len(frame) <= MOST_ROWS:
        found = "no rows" if frame.empty else "more"
        raise FillbenchError(f"'{name}' has {found}; give 1 to {MOST_ROWS} rows")
    about: dict[str, Any] = {**data}
    columns = [Column(one["name"], one["categories"] and tuple(one["categories"])) for one in about["columns"]]
    frame.columns = frame.columns.map(str)
    if lacking := [column.name for column in columns if column.name not in frame.columns]:
        raise FillbenchError(f"'{name}' has no column '{lacking[0]}'; {did_you_mean(lacking[0], list(frame.columns))}")
    return rows_of(frame, columns, Notes())


READERS: dict[str, Callable[[bytes, str, DatasetInfo], Array]] = {"images": image_of, "tables": rows_in}


def examples_in(kind: str, content: bytes, name: str, data: DatasetInfo) -> Array:
    """The examples of an uploaded file, (N, …). Raises FillbenchError for what holds none of this kind."""
    if not content:
        raise FillbenchError(f"'{name}' is empty")
    if kind not in READERS:
        raise FillbenchError(f"files of {kind} cannot be read here yet")
    return np.ascontiguousarray(READERS[kind](content, name, data))
