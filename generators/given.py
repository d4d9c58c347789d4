"""What `fit_resample` is given, images or rows, as a data set; and what was made of it, in the caller's own form."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..datasets.base import Array, Images, Traits
from ..datasets.images import ImageTraits
from ..datasets.reading import Notes, ReadOptions
from ..datasets.tables import Rows, TableTraits
from ..errors import UnfitData

if TYPE_CHECKING:
    import pandas as pd


class Given(NamedTuple):
    """Examples `x` with what they mean; `joined` puts new ones after those given, as the caller has them."""

    x: Array
    traits: Traits
    joined: Callable[[Array], Any]


def given(examples: Any) -> Given:
    """Images (N, H, W), (N, H, W, 1) or (N, H, W, 3) uint8; rows: a data frame, or numbers (N, F).

    Raises UnfitData for anything else.
    """
    if hasattr(examples, "iloc") and hasattr(examples, "columns"):
        return _frame(examples)
    if isinstance(examples, list):
        known = given(np.asarray(examples))
        return known._replace(joined=lambda made: known.joined(made).tolist())
    array = np.asarray(examples)
    if array.ndim == 2 and array.dtype.kind in "fiu" and array.dtype != np.uint8:  # which are pixels
        return _rows(array)
    return _images(array)


def _images(images: Images) -> Given:
    if images.dtype != np.uint8:
        raise UnfitData(f"fit_resample takes uint8 images, 0 to 255, not {images.dtype}")
    if images.ndim not in (3, 4) or 0 in images.shape or (images.ndim == 4 and images.shape[-1] not in (1, 3)):
        first, flat = images.ndim == 4 and images.shape[1] in (1, 3), images.ndim == 2
        raise UnfitData(
            f"fit_resample takes images (N, H, W), or (N, H, W, C) with C 1 or 3, not {images.shape}"
            + ("; move the channels last: images.transpose(0, 2, 3, 1)" if first else "")
            + ("; rows of a table are to be of another type than uint8" if flat else "")
        )
    pixels = images if images.ndim == 4 else images[..., None]

    def joined(made: Images) -> Images:
        return np.concatenate([images, made if images.ndim == 4 else made[..., 0]])

    return Given(pixels.copy(), ImageTraits(), joined)


def _rows(rows: Array) -> Given:
    import pandas as pd

    known = _frame(pd.DataFrame(rows))

    def joined(made: Rows) -> Array:
        return np.concatenate([rows, _as_type(made, rows.dtype)])

    return known._replace(joined=joined)


def _frame(frame: pd.DataFrame) -> Given:
    from ..datasets.frames import columns_of, rows_of

    named = frame.set_axis([str(name) for name in frame.columns], axis=1)
    if len(set(named.columns)) < len(named.columns):
        raise UnfitData("fit_resample takes a data frame whose columns have names of their own")
    notes = Notes()
    columns = columns_of(named, ReadOptions(), notes)
    if len(columns) < len(named.columns):
        left_out = [text for text in notes.warnings if text.endswith("it is left out")]
        raise UnfitData(f"fit_resample cannot fill every column: {left_out[0].partition(';')[0]}; drop it")
    lost = Notes()
    rows = rows_of(named, columns, lost)
    if lost.warnings:
        raise UnfitData(f"fit_resample works in float32, and {lost.warnings[0].partition(';')[0]}; drop it")
    traits = TableTraits(tuple(columns))

    def joined(made: Rows) -> pd.DataFrame:
        import pandas as pd

        new = pd.DataFrame(
            {
                name: _column(values, column.categories, named[column.name])
                for name, values, column in zip(frame.columns, made.T, columns, strict=True)
            }
        )
        return pd.concat([frame, new], ignore_index=True).astype(frame.dtypes)

    return Given(rows, traits, joined)


def _within(values: Array, dtype: Any) -> Array:
    """Values within what integers of a type can hold."""
    if getattr(dtype, "kind", "") not in ("i", "u"):
        return values
    limits = np.iinfo(dtype)
    return values.clip(limits.min, limits.max)


def _as_type(values: Array, dtype: np.dtype[Any]) -> Array:
    return _within(values.astype(np.float64), dtype).astype(dtype)


def _column(values: Rows, categories: tuple[str, ...] | None, like: pd.Series) -> Any:
    """A column of new rows with the values of `like`."""
    if categories is None:
        return _within(values.astype(np.float64), getattr(like.dtype, "numpy_dtype", like.dtype))
    from ..datasets.frames import name_of

    there = like.dropna()
    known = dict(zip(there.map(name_of), there, strict=True))
    return [None if np.isnan(code) else known[categories[int(code)]] for code in values]
