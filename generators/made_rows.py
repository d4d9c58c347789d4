"""Rows that were made elsewhere, from a CSV or Parquet file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..datasets.base import DataSet
from ..datasets.frame_files import form_of, read_frame
from ..datasets.frames import name_of, rows_of
from ..datasets.reading import Notes
from ..datasets.tables import Rows
from ..errors import FillbenchError, did_you_mean
from .made_labels import labels_of_made

if TYPE_CHECKING:
    import pandas as pd


def made_rows(path: Path, train: DataSet, notes: Notes) -> dict[int, Rows]:
    """The rows of a file by label: it has the columns of `train`, and one more with the names of classes.

    Of a folder, such as `benchmark export --format csv` writes, the file added.csv is read.

    Raises FillbenchError for other columns, and for values that these cannot hold.
    """
    path = path / "added.csv" if path.is_dir() else path
    columns = train.traits.columns
    names = [column.name for column in columns]
    frame, written = (read_frame(path, form_of(path), text=text) for text in (False, True))
    if lacking := [name for name in names if name not in frame.columns]:
        raise FillbenchError(
            f"from-files: '{path}' has no column '{lacking[0]}'; {did_you_mean(lacking[0], list(frame.columns))}"
        )
    others = [name for name in frame.columns if name not in names]
    if len(others) != 1:
        found = ", ".join(others) or "no other column"
        raise FillbenchError(
            f"from-files: '{path}' needs one column besides the data's, with the classes; it has {found}"
        )
    for column in columns:
        if column.categories is not None:
            frame[column.name] = _known(frame[column.name], written[column.name], column.categories)
    rows = rows_of(frame[names], columns, notes)
    for column, values in zip(columns, rows.T, strict=True):
        odd = frame[column.name][np.isnan(values)].dropna()
        if len(odd):
            what = "number" if column.categories is None else "category of the training rows"
            raise FillbenchError(
                f"from-files: '{path}' has '{odd.iloc[0]}' in column '{column.name}', which is no {what}"
            )
    classes = _known(frame[others[0]], written[others[0]], train.class_names).map(name_of)
    labels = classes.map(labels_of_made(sorted(classes.unique()), train, path)).to_numpy()
    return {label: rows[labels == label] for label in np.unique(labels).tolist()}


def _known(values: pd.Series, written: pd.Series, names: Sequence[str]) -> pd.Series:
    """What is written where that is one of the names, such as 01 or None, else the values as pandas takes them."""
    return values.astype(object).where(~written.isin(names), written)
